"""Reasons as a model writes them, some side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from genrec.parts import Status
from genrec.prompting import Messages

_SIDE_BY_SIDE = 8


class Writer(Protocol):
    """A model that writes."""

    def write(self, prompts: Sequence[Messages], most: int) -> list[str]:
        """What stands behind each prompt, in at most so many tokens, and always the same."""


def write(
    writer: Writer, prompts: Sequence[Messages], most: int, status: Status, *, kept: Path | None = None
) -> list[str]:
    """What stands behind each prompt, in at most so many tokens.

    `kept`: a folder of this model's, so that a run that was killed does not write again; it may be removed at any
    time.
    """
    texts: list[str] = []
    for start in range(0, len(prompts), _SIDE_BY_SIDE):
        status(f"writing reasons: {start} of {len(prompts)}")
        some = prompts[start : start + _SIDE_BY_SIDE]
        texts += _kept(writer, some, most, kept) if kept else writer.write(some, most)
    return texts


def _kept(writer: Writer, prompts: Sequence[Messages], most: int, folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    said = json.dumps([most, *prompts]).encode("utf-8", "surrogatepass")
    path = folder / f"{hashlib.sha256(said).hexdigest()}.json"
    if not path.exists():
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(writer.write(prompts, most)), encoding="utf-8")
        draft.replace(path)
    found: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return found
