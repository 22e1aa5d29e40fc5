"""Who took what, in order: sparse and incremental, nothing item × item.

What goes together is counted when it is asked for, from the newest takers of an item: a request costs takers ×
items of a taker, and an event costs one append.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from datetime import datetime

import numpy as np

from retrieval.index import Rows
from retrieval.lists import NOTHING, KeptLists, Sparse, Values, add_up, without

_NEWEST_TAKERS = 1000
"""Takers of an item that are looked at: more would change little and cost a popular item dearly."""
_GAPS = 5
"""How far behind an item another one still counts as coming after it."""


class Behaviour:
    """Takes: the first event of a user with an item that speaks for it. Not more than one for a user and an item."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._taken: list[array[int]] = []
        self._takers: defaultdict[int, array[int]] = defaultdict(lambda: array("i"))
        self._counts = np.zeros(0)
        self._recent = RecentCounts()
        self._together, self._after = KeptLists(), KeptLists()

    def add(self, user_id: str, row: int, when: datetime | None) -> bool:
        """Note that a user took an item, after all that this user took before; False if it was taken already."""
        user = self._users.setdefault(user_id, len(self._taken))
        if user == len(self._taken):
            self._taken.append(array("i"))
        elif row in self._taken[user]:
            return False
        self._taken[user].append(row)
        self._takers[row].append(user)
        if row >= len(self._counts):
            self._counts = _grown(self._counts, row + 1)
        self._counts[row] += 1
        self._recent.add(row, when)
        self._together.forget(self._taken[user])
        self._after.forget(self._taken[user])
        return True

    def took(self, user_id: str, row: int) -> bool:
        """Whether this user took that item."""
        user = self._users.get(user_id)
        return user is not None and row in self._taken[user]

    @property
    def users(self) -> int:
        """How many users took anything."""
        return len(self._taken)

    @property
    def takes(self) -> int:
        """How many takes there are in all."""
        return int(self._counts.sum())

    def counts(self, rows: Rows) -> Values:
        """How many users took each of these items."""
        return _read(self._counts, rows)

    def every_count(self, size: int) -> Values:
        """How many users took each item. `size`: rows of the catalogue."""
        return _read(self._counts, np.arange(size))

    def every_recent(self, size: int) -> Values:
        """The same, each take counting half for every month before the newest one; one without a time not at all."""
        return self._recent.of(np.arange(size))

    def together(self, row: int) -> Sparse:
        """Σ_u 1 / log(1 + |u|) over the takers u of `row`, for every other item that u took.

        A user with many items says less about each pair (Adamic and Adar, 2003).
        """
        return self._together.of(row, self._count_together)

    def after(self, row: int) -> Sparse:
        """Σ_u 1 / gap over the takers u of `row`, for the items that u took 1 to 5 places behind it."""
        return self._after.of(row, self._count_after)

    def _count_together(self, row: int) -> Sparse:
        rows, lengths, _ = self._around(row)
        return without(row, add_up(rows, np.repeat(1 / np.log1p(lengths), lengths), len(self._counts)))

    def _count_after(self, row: int) -> Sparse:
        rows, _, ends = self._around(row)
        places = np.flatnonzero(rows == row)  # each taker has it once, so there are as many places as ends
        found, weights = [], []
        for gap in range(1, _GAPS + 1):
            inside = places[places + gap < ends]
            found.append(rows[inside + gap])
            weights.append(np.full(len(inside), 1 / gap))
        return without(row, add_up(np.concatenate(found), np.concatenate(weights), len(self._counts)))

    def _around(self, row: int) -> tuple[Rows, Rows, Rows]:
        """All items of the newest takers, one user behind the other; how many each has; where each ends."""
        takers = self._takers[row][-_NEWEST_TAKERS:] if row in self._takers else array("i")
        flat, lengths = array("i"), array("i")
        for user in takers:
            taken = self._taken[user]
            flat.extend(taken)
            lengths.append(len(taken))
        rows, sizes = np.array(flat, np.int64), np.array(lengths, np.int64)
        return rows, sizes, np.cumsum(sizes)


class RecentCounts:
    """Exponentially decayed counts, kept as of one fixed moment so that an event touches one number only."""

    _HALF_LIFE_S = 30 * 86_400.0
    _RESCALE = 500.0

    def __init__(self) -> None:
        self._counts = np.zeros(0)
        self._origin: float | None = None
        self._newest = 0.0

    def add(self, row: int, when: datetime | None) -> None:
        """Count one take; one without a time says nothing about what is recent."""
        if row >= len(self._counts):
            self._counts = _grown(self._counts, row + 1)
        if when is None:
            return
        seconds = when.timestamp()
        if self._origin is None:
            self._origin = seconds
        self._newest = max(self._newest, seconds) if self._newest else seconds
        if (seconds - self._origin) / self._HALF_LIFE_S > self._RESCALE:  # before 2^x leaves the range of a float
            self._counts *= 0.5 ** ((seconds - self._origin) / self._HALF_LIFE_S)
            self._origin = seconds
        self._counts[row] += 2.0 ** max(-self._RESCALE, (seconds - self._origin) / self._HALF_LIFE_S)

    def of(self, rows: Rows) -> Values:
        """The counts as of the newest event."""
        if self._origin is None:
            return np.zeros(len(rows))
        scale: float = 0.5 ** ((self._newest - self._origin) / self._HALF_LIFE_S)
        return _read(self._counts, rows) * scale


class CrossCounts:
    """How often each item was taken under each value of a field: `age: 30-39`, `place: Beijing`."""

    def __init__(self) -> None:
        self._items: defaultdict[tuple[str, str], defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._totals: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, field: str, value: str, row: int) -> None:
        """Count one take."""
        self._items[field, value][row] += 1
        self._totals[field, value] += 1

    def of(self, field: str, value: str) -> tuple[Sparse, int]:
        """The counts of every item that was taken under this value, and their sum."""
        counts = self._items.get((field, value))
        if not counts:
            return NOTHING, 0
        rows = np.fromiter(sorted(counts), np.int64, len(counts))
        return (rows, np.array([counts[row] for row in rows.tolist()], np.float64)), self._totals[field, value]


def _grown(counts: Values, size: int) -> Values:
    grown = np.zeros(max(size, 2 * len(counts)))
    grown[: len(counts)] = counts
    return grown


def _read(counts: Values, rows: Rows) -> Values:
    """The counts of some rows; 0 behind the last that was ever counted."""
    padded = np.append(counts, 0.0)
    found: Values = padded[np.minimum(rows, len(counts))]
    return found
