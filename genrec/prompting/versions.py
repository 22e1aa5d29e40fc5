"""Versions of a pack that never change, and labels that move between them: `production`, `candidate`.

Beside the templates lies a folder `.versions`: for each version that ever had a label a folder with its files, and
`labels.jsonl`, to which every move of a label is appended. `my-prompts` is what the files say now,
`my-prompts@production` what the label stands at, `my-prompts@3f2a91c04d5e` one version.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from genrec.errors import PromptError
from genrec.prompting.finding import find_pack, pack_folder, read_pack
from genrec.prompting.pack import Pack

Label = Literal["production", "candidate"]
LABELS: tuple[Label, ...] = get_args(Label)
_FOLDER = ".versions"
_MOVES = "labels.jsonl"
_VERSION = re.compile(r"[0-9a-f]{12}")
_SHORT = re.compile(r"[0-9a-f]{4,11}")


@dataclass(frozen=True)
class Move:
    """A label was put on a version, at a moment in ISO 8601, because of `promote` or `rollback`."""

    label: str
    version: str
    time: str
    by: str


def load_pack(name_or_path: str | Path) -> Pack:
    """A pack by its name (one that ships with genrec) or its folder, `@` a label or a version of it.

    Raises:
        PromptError: no such pack, label or version, a missing or broken template; the message names file and line.
    """
    named, at, wanted = str(name_or_path).rpartition("@")
    if not at or Path(name_or_path).is_dir():
        folder = find_pack(name_or_path)
        return read_pack(folder, folder.resolve().name)
    folder = find_pack(named)
    version = wanted if _VERSION.fullmatch(wanted) else labels(folder).get(wanted)
    if version is None:
        if _SHORT.fullmatch(wanted):
            raise PromptError(f"{wanted!r} is too short for a version of pack {named!r}: it has 12 hexadecimal digits")
        known = ", ".join(f"{label} at {at}" for label, at in labels(folder).items()) or "none yet"
        raise PromptError(f"pack {named!r} has no label {wanted!r}, it has {known}: see genrec prompt promote")
    kept = folder / _FOLDER / version
    if not kept.is_dir():
        raise PromptError(f"pack {named!r} keeps no version {version!r}: those that had a label are kept")
    pack = read_pack(kept, folder.resolve().name, folder)
    if pack.version != version:
        raise PromptError(f"{kept}: its files are not version {version} any more: somebody has edited them")
    return pack


def moves(folder: Path) -> list[Move]:
    """Every move of every label, oldest first. Raises PromptError for a line that nobody wrote this way."""
    path = folder / _FOLDER / _MOVES
    if not path.exists():
        return []
    try:
        return [Move(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise PromptError(f"{path}: cannot be read: {error}: take the last whole version of the file") from error


def labels(folder: Path) -> dict[str, str]:
    """The version that each label stands at."""
    return {move.label: move.version for move in moves(folder)}


def promote(pack: Pack, label: Label) -> Move | None:
    """Keep this version of a pack for ever and put a label on it; None where it has the label already.

    Raises:
        PromptError: a pack that ships with genrec, whose versions are genrec's own.
    """
    if pack.folder.resolve().parent == pack_folder().resolve():
        raise PromptError(f"{pack.name} ships with genrec: begin your own by genrec prompt new --from {pack.name}")
    if labels(pack.folder).get(label) == pack.version:
        return None
    kept = pack.folder / _FOLDER / pack.version
    if not kept.exists():
        _keep(pack, kept)
    return _move(pack.folder, label, pack.version, "promote")


def rollback(folder: Path, label: Label) -> Move:
    """Put a label back to where it stood before its last move; again, to where it stood before that.

    Raises:
        PromptError: the label never stood anywhere else.
    """
    return _move(folder, label, before(moves(folder), label, folder.resolve().name), "rollback")


def before(made: Iterable[Move], label: str, name: str) -> str:
    """The version that a label of a pack goes back to. Raises PromptError where there is none."""
    stood: list[str] = []
    for move in made:
        if move.label != label:
            continue
        if move.by == "rollback":
            stood.pop()
        elif not stood or stood[-1] != move.version:
            stood.append(move.version)
    if len(stood) < 2:
        where = f"it is back at the first, {stood[0]}" if stood else "it was never promoted"
        raise PromptError(f"pack {name!r}: no version before for {label!r} to go back to: {where}")
    return stood[-2]


def _keep(pack: Pack, kept: Path) -> None:
    """Whole or not at all."""
    kept.parent.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    try:
        for file, source in pack.sources.items():
            (draft / file).write_text(source, encoding="utf-8")
        draft.chmod(0o755)
        draft.rename(kept)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move(folder: Path, label: Label, version: str, by: str) -> Move:
    if label not in LABELS:
        raise PromptError(f"no label {label!r}: there are {', '.join(LABELS)}")
    move = Move(label, version, datetime.now(UTC).isoformat(timespec="seconds"), by)
    with (folder / _FOLDER / _MOVES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(vars(move)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return move
