"""Adapters that were made, what the gate said of each, and which one ranks: a folder beside the data.

VERSION/            an adapter
verdicts/VERSION.json
moves.jsonl         every move of the label `production`, oldest first
erased.jsonl        adapters that saw somebody who was erased since
runs/               how each was trained: its plan, its curves, where it stands
frozen/             what frozen layers made of prompts, and the base model wrote; may be removed at any time
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from genrec.errors import DataError, ModelError
from genrec.learn.adapter import MANIFEST, Adapter, Manifest, Tensors, read_adapter, read_manifest, write_adapter
from genrec.learn.gate import Verdict
from genrec.learn.shape import Shape

NOTHING = "none"
"""What the label stands at before anything is promoted: no adapter, the base model."""
_VERSION = re.compile(r"[0-9a-f]{12}")
_VERDICTS, _MOVES, _ERASED = "verdicts", "moves.jsonl", "erased.jsonl"


@dataclass(frozen=True)
class Move:
    """The label was put on a version, at a moment in ISO 8601, because of `promote` or `rollback`."""

    version: str
    time: str
    by: str


class Shelf:
    """The adapters of one tenant or data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, data: Path) -> Self:
        """That of a data folder."""
        return cls(data / "adapters")

    def frozen(self, base: str) -> Path:
        """For what the frozen layers of a model, by its SHA-256, make of prompts."""
        return self.folder / "frozen" / base[:12]

    def versions(self) -> list[str]:
        """Every adapter that is kept."""
        return sorted(
            path.parent.name for path in self.folder.glob(f"*/{MANIFEST}") if _VERSION.fullmatch(path.parent.name)
        )

    def put(self, tensors: Tensors, manifest: Manifest, base: Path) -> Adapter:
        """Write an adapter, check it as any other, and put it here by its version; the same one again is fine.

        `base`: the folder of its base model. Raises ModelError for what is not one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".draft-", dir=self.folder) as draft:
            write_adapter(Path(draft) / "adapter", tensors, manifest)
            adapter, _ = read_adapter(Path(draft) / "adapter", manifest.base, base)
            place = self.folder / adapter.version
            if not place.exists():
                adapter.folder.rename(place)
        return adapter.model_copy(update={"folder": place})

    def place(self, version: str) -> Path:
        """Where an adapter is. Raises ModelError where there is none."""
        if version not in self.versions():
            known = ", ".join(self.versions()) or "none yet"
            raise ModelError(f"no adapter {version!r} in {self.folder}, there are {known}: see genrec train list")
        return self.folder / version

    def rank(self) -> int:
        """The highest of its adapters, or that of a new one."""
        found = [self._manifest(version) for version in self.versions()]
        return max([Shape().rank, *(manifest.shape.rank for manifest in found if manifest)])

    def judged(self, version: str, verdict: Verdict) -> None:
        """Keep what the gate said; a later verdict takes the place of an earlier one."""
        path = self.folder / _VERDICTS / f"{version}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(verdict.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    def verdict(self, version: str) -> Verdict | None:
        """What the gate said of an adapter; None where it was not asked."""
        path = self.folder / _VERDICTS / f"{version}.json"
        try:
            return Verdict.model_validate_json(path.read_bytes()) if path.exists() else None
        except ValidationError as error:
            raise DataError(f"{path} is no verdict: remove it, and judge the adapter again") from error

    def moves(self) -> list[Move]:
        """Every move of the label, oldest first."""
        return [Move(**row) for row in self._rows(_MOVES, {"version", "time", "by"})]

    @property
    def production(self) -> str:
        """The version that ranks, or `none`."""
        moves = self.moves()
        return moves[-1].version if moves else NOTHING

    def promote(self, version: str) -> Move:
        """Let an adapter rank, if the gate found that it wins over the one that ranks now.

        Raises:
            ModelError: the gate refused it, was not asked, or held it against another; or it saw somebody who was
                erased since.
        """
        self.place(version)
        verdict, now = self.verdict(version), self.production
        if version == now:
            raise ModelError(f"adapter {version} ranks already")
        if verdict is None:
            raise ModelError(f"adapter {version} was never judged: run genrec train judge {version}")
        if verdict.refused:
            raise ModelError(f"adapter {version} is not promoted: {'; '.join(verdict.refused)}")
        if verdict.current.name != now:
            raise ModelError(
                f"adapter {version} was held against {verdict.current.name}, but {now} ranks now: "
                f"run genrec train judge {version}"
            )
        return self._move(version, "promote")

    def rollback(self) -> Move:
        """Let the one rank that did before the last move; again, the one before that."""
        stood = [NOTHING]
        for move in self.moves():
            stood = stood[:-1] if move.by == "rollback" else [*stood, move.version]
        if len(stood) < 2:
            raise ModelError(f"nothing to go back to in {self.folder}: no adapter ranks")
        return self._move(stood[-2], "rollback")

    def forget(self, user_id: str) -> list[str]:
        """Mark every adapter that saw a user who is erased: it is not promoted any more. Returns all that did.

        One whose manifest cannot be read may have seen anybody.
        """
        found = {version: self._manifest(version) for version in self.versions()}
        saw = [version for version, manifest in found.items() if manifest is None or manifest.saw(user_id)]
        for version in saw:
            if version not in self.erased():
                self._append(_ERASED, {"version": version, "time": _now()})
        return saw

    def erased(self) -> Mapping[str, str]:
        """The adapters that saw somebody who was erased since, and when the first of them was."""
        return {row["version"]: row["time"] for row in reversed(self._rows(_ERASED, {"version", "time"}))}

    def _manifest(self, version: str) -> Manifest | None:
        """None where it cannot be read: such an adapter is not loaded."""
        try:
            return read_manifest(self.folder / version)
        except ModelError:
            return None

    def _move(self, version: str, by: str) -> Move:
        if version in self.erased():
            raise ModelError(f"adapter {version} saw a user who was erased since: train anew, without them")
        move = Move(version, _now(), by)
        self._append(_MOVES, asdict(move))
        return move

    def _append(self, name: str, row: Mapping[str, str]) -> None:
        try:
            with (self.folder / name).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(f"cannot write {str(self.folder / name)!r}: {error.strerror}") from error

    def _rows(self, name: str, fields: set[str]) -> list[dict[str, str]]:
        path = self.folder / name
        if not path.exists():
            return []
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if all(isinstance(row, dict) and row.keys() == fields for row in rows):
                return rows
        except ValueError as error:
            raise DataError(f"{path} cannot be read: {error}: take the last whole version of the file") from error
        raise DataError(f"{path} holds a line that nobody wrote this way: take the last whole version of the file")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
