"""What methods ranked, kept in a folder: a run that was killed goes on, and tables are made without ranking again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.method import Ranked

_SOURCES = ("eval", "genrec", "retrieval", "prompts")
_CODE = {".py", ".j2"}


@dataclass(frozen=True)
class Kept:
    """The lists of one method, in the order of the cases, what it chose, what answering cost, and the time it took."""

    ranked: Sequence[Ranked]
    chosen: Mapping[str, Any]
    cost: Mapping[str, float]
    seconds: Mapping[str, float]


class Keeper:
    """One file for each method; a file of another fingerprint is measured again."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> Kept | None:
        """What was kept under this fingerprint, None where nothing was."""
        path = self._path(name)
        if not path.exists():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("fingerprint") != self._fingerprint:
            return None
        ranked = [Ranked(item_ids, probability) for item_ids, probability in found.pop("ranked")]
        return Kept(ranked, **found)

    def put(self, name: str, kept: Kept) -> None:
        """Whole or not at all."""
        rows = [[list(one.item_ids), one.probability] for one in kept.ranked]
        said = {**asdict(kept), "ranked": rows, "fingerprint": self._fingerprint}
        draft = self._path(name).with_suffix(".draft")
        draft.write_text(json.dumps(said), encoding="utf-8")
        draft.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def fingerprint(parts: Iterable[str]) -> str:
    """Of everything that decides what is ranked: the given parts, and the code that ranks."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    root = Path(__file__).resolve().parents[1]
    for folder in _SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in _CODE:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
