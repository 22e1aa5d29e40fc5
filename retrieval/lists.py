"""Lists of items and what speaks for each: sparse, since most of a catalogue is in none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from retrieval.index import Rows

Values = npt.NDArray[np.float64]
Sparse = tuple[Rows, Values]
"""Rows, ascending, and a value for each; every other row has 0."""

NOTHING: Sparse = (np.empty(0, np.int64), np.empty(0, np.float64))

_DENSE = 20
"""Sums over n entries go through an array of all rows where there are fewer than this many rows an entry."""
_MOST_KEPT = 4_000_000
"""Entries, 16 bytes each."""


def look_up(sparse: Sparse, rows: Rows) -> Values:
    """The values of some rows; 0 where there is none."""
    known, values = sparse
    if not len(known):
        return np.zeros(len(rows))
    places = np.minimum(np.searchsorted(known, rows), len(known) - 1)
    return np.where(known[places] == rows, values[places], 0.0)


def add_up(rows: Rows, values: Values, size: int) -> Sparse:
    """Values added up by row. `size`: rows of the catalogue."""
    if size < _DENSE * len(rows):
        totals: Values = np.bincount(rows, values, size).astype(np.float64)
        found: Rows = np.flatnonzero(totals).astype(np.int64)
        return found, totals[found]
    distinct, places = np.unique(rows, return_inverse=True)
    return distinct, np.bincount(places, values, len(distinct)).astype(np.float64)


def without(row: int, sparse: Sparse) -> Sparse:
    """A list without one row."""
    rows, values = sparse
    others = rows != row
    return rows[others], values[others]


class KeptLists:
    """For each row the list that was counted, until somebody says that it is no longer so. Safe to read from threads.

    The lists that nobody has asked for longest are let go.
    """

    def __init__(self) -> None:
        self._lists: LRUCache[int, Sparse] = LRUCache(_MOST_KEPT, getsizeof=lambda found: len(found[0]) + 1)
        self._lock = Lock()

    def __deepcopy__(self, _: object) -> KeptLists:
        """A copy has kept nothing yet: what it is part of will be counted by itself."""
        return KeptLists()

    def of(self, row: int, count: Callable[[int], Sparse]) -> Sparse:
        """The list of a row, counted where it is not here. Nobody may forget it meanwhile."""
        with self._lock:
            found = self._lists.get(row)
        if found is None:
            found = count(row)
            if len(found[0]) < _MOST_KEPT:
                with self._lock:
                    self._lists[row] = found
        return found

    def forget(self, rows: Iterable[int]) -> None:
        """These rows have other lists from now on."""
        if not self._lists:  # while a catalogue is loaded nobody has asked yet
            return
        with self._lock:
            for row in rows:
                self._lists.pop(row, None)

    def forget_all(self) -> None:
        """All of them have."""
        with self._lock:
            self._lists.clear()
