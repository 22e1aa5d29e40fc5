"""What the model wrote → entries, or a named error. Pure: text and labels in, nothing else is looked at."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from genrec.errors import AnswerError

_LONGEST = 1_000_000
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Entry:
    """One ranked label, and the reason that came with it (empty where none did)."""

    label: str
    reason: str


@dataclass(frozen=True)
class ParsedList:
    """The usable entries in their order, and what had to be left out to get them."""

    entries: tuple[Entry, ...]
    invalid: int
    repeated: int
    truncated: bool


def parse_list(text: str, labels: Collection[str]) -> ParsedList:
    """Read a JSON list of `{"label": ..., "reason": ...}`; complete entries of a truncated one are kept.

    Entries with an unknown label, or without one, count as `invalid`; a label named again as `repeated`.

    Raises:
        AnswerError: no list, or not one usable entry in it.
    """
    start = text.find("[", 0, _LONGEST)
    if start < 0:
        raise AnswerError(f"the model wrote no JSON list but {text[:60]!r}")
    rows, truncated = _rows(text[:_LONGEST], start + 1)
    known = frozenset(labels)  # labels may come as one text, in which "" and "AB" would be found too
    entries: dict[str, Entry] = {}
    invalid = repeated = 0
    for row in rows:
        label = row.get("label") if isinstance(row, dict) else None
        if not isinstance(label, str) or label not in known:
            invalid += 1
        elif label in entries:
            repeated += 1
        else:
            reason = row.get("reason")
            entries[label] = Entry(label, reason if isinstance(reason, str) else "")
    if not entries:
        raise AnswerError(f"the model's list names none of the labels: {text[:60]!r}")
    return ParsedList(tuple(entries.values()), invalid, repeated, truncated)


def _rows(text: str, position: int) -> tuple[list[Any], bool]:
    """The complete JSON values of a list that starts before `position`, and whether its end is missing."""
    rows: list[Any] = []
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position >= len(text):
            return rows, True
        if text[position] == "]":
            return rows, False
        try:
            row, position = _DECODER.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            return rows, True
        rows.append(row)
