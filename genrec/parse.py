"""What the model wrote → entries, or a named error. Pure: text and labels in, nothing else is looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from genrec.errors import AnswerError

_LONGEST = 1_000_000
_MOST_LISTS = 8
"""Lists that are looked at before giving up: prose may hold brackets before the answer."""
_MOST_ROWS = 1000
"""Values of a list that are looked at: there are 26 letters."""
_GAP = re.compile(r"[ \t\r\n,]*")
_BEGIN = re.compile(r"\[\s*(?=\{)")
_THOUGHT_ENDS = "</think>"


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
    """Read the first JSON list of `{"label": ..., "reason": ...}` that names a label; prose around it is passed over.

    Complete entries of a truncated list are kept. Entries with an unknown label, without one, or with the
    same key twice count as `invalid`; a label named again as `repeated`. What stands before the end of a
    `</think>` block is no answer, and nothing behind the first million characters is read.

    Raises:
        AnswerError: no list, or not one usable entry in any.
    """
    answer = text[:_LONGEST].rpartition(_THOUGHT_ENDS)[2]
    known = frozenset(labels)  # labels may come as one text, in which "" and "AB" would be found too
    place, looked_at = 0, 0
    while looked_at < _MOST_LISTS and (begin := _BEGIN.search(answer, place)):
        rows, place, truncated = _rows(answer, begin.end())
        if (parsed := _entries(rows, known, truncated)).entries:
            return parsed
        looked_at += 1
    found = "the model's list names none of the labels" if looked_at else "the model wrote no JSON list"
    raise AnswerError(f"{found}: {answer[:60]!r}")


def _entries(rows: list[Any], known: frozenset[str], truncated: bool) -> ParsedList:
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
            entries[label] = Entry(label, _encodable(reason) if isinstance(reason, str) else "")
    return ParsedList(tuple(entries.values()), invalid, repeated, truncated)


def _rows(text: str, place: int) -> tuple[list[Any], int, bool]:
    """The complete values of a list whose first one is at `place`, where they end, and whether `]` is missing."""
    rows: list[Any] = []
    while len(rows) < _MOST_ROWS:
        place = _end_of_gap(text, place)
        if place >= len(text):
            return rows, place, True
        if text[place] == "]":
            return rows, place, False
        try:
            row, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):  # also numbers of thousands of digits
            return rows, place + 1, True
        rows.append(row)
    return rows, place, True


def _end_of_gap(text: str, place: int) -> int:
    gap = _GAP.match(text, place)
    return gap.end() if gap else place


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """An object; None where a key is there twice, because nobody can say which value was meant."""
    return found if len(found := dict(pairs)) == len(pairs) else None


def _encodable(text: str) -> str:
    """Without lone surrogates, which JSON can name and UTF-8 cannot say."""
    return text.encode("utf-8", "ignore").decode("utf-8")


_DECODER = json.JSONDecoder(object_pairs_hook=_unambiguous)
