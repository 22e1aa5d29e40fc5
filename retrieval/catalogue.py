"""Items in numbered rows, and which of them a filter lets through."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from retrieval.filters import Between, Condition, Filter, number, values
from retrieval.index import Mask, Rows
from retrieval.types import Item, plain

_CACHED_VALUES = 256
"""Masks kept for `field = value`; each takes a byte an item."""


class Catalogue:
    """Items by id and by row. A row is an item's for life: that of a removed item is not given again."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items: list[Item] = []
        self._rows: dict[str, int] = {}
        self._alive = np.zeros(0, np.bool_)
        self._masks: OrderedDict[tuple[str, str], Mask] = OrderedDict()
        self._numbers: dict[str, npt.NDArray[np.float64]] = {}
        self.upsert(items)

    def __len__(self) -> int:
        """How many rows there are, those of removed items included."""
        return len(self._items)

    def __contains__(self, item_id: str) -> bool:
        row = self._rows.get(item_id)
        return row is not None and bool(self._alive[row])

    def row(self, item_id: str) -> int:
        """Raises KeyError for an unknown or removed item."""
        return self._rows[item_id]

    def rows(self, item_ids: Iterable[str]) -> Rows:
        """Raises KeyError for an unknown or removed item."""
        return np.array([self._rows[item_id] for item_id in item_ids], np.int64)

    def item(self, row: int) -> Item:
        """The item in a row, also one that was removed."""
        return self._items[row]

    def items(self) -> Sequence[Item]:
        """Every item by row, those that were removed included."""
        return self._items

    def upsert(self, items: Iterable[Item]) -> Rows:
        """Add items, or replace those with the same ids; returns their rows."""
        rows = self.place(items)
        self.reveal(rows)
        return rows

    def place(self, items: Iterable[Item]) -> Rows:
        """The same, but new items are not found before `reveal`: what else is kept of them comes in between."""
        items = list(items)
        rows = []
        for item in items:
            row = self._rows.setdefault(item.item_id, len(self._items))
            if row == len(self._items):
                self._items.append(item)
            else:
                self._items[row] = item
            rows.append(row)
        found = np.array(rows, np.int64)
        self._alive = _grown(self._alive, len(self._items))
        self._patch(found)
        return found

    def reveal(self, rows: Rows) -> None:
        """Let items be found."""
        self._alive[rows] = True

    def remove(self, item_ids: Iterable[str]) -> Rows:
        """Forget items; returns the rows they had. Raises KeyError, before any is gone, for an unknown one."""
        ids = list(dict.fromkeys(item_ids))
        rows = self.rows(ids)
        for item_id in ids:
            del self._rows[item_id]
        self._alive = self._alive.copy()
        self._alive[rows] = False
        return rows

    def allowed(self, filter_: Filter) -> Mask:
        """The items that a filter lets through: a new mask over rows."""
        mask = self._alive.copy()
        for field, condition in filter_.where.items():
            mask &= self._meets(field, condition)
        if filter_.allow is not None:
            mask &= self._listed(filter_.allow)
        if filter_.deny:
            mask &= ~self._listed(filter_.deny)
        return mask

    def _meets(self, field: str, condition: Condition) -> Mask:
        if isinstance(condition, Between):
            column = self._column(field)
            low = -np.inf if condition.low is None else condition.low
            high = np.inf if condition.high is None else condition.high
            return (column >= low) & (column <= high)  # a missing number is NaN, which is neither
        wanted = condition if isinstance(condition, tuple) else (condition,)
        masks = [self._holding(field, plain(value)) for value in wanted]
        return np.asarray(np.logical_or.reduce(masks, axis=0), np.bool_)

    def _holding(self, field: str, value: str) -> Mask:
        key = (field, value)
        if key not in self._masks:
            found = (value in values(item, field) for item in self._items)
            self._masks[key] = np.fromiter(found, np.bool_, len(self._items))
            if len(self._masks) > _CACHED_VALUES:
                self._masks.popitem(last=False)
        self._masks.move_to_end(key)
        return self._masks[key]

    def _column(self, field: str) -> npt.NDArray[np.float64]:
        if field not in self._numbers:
            column = (number(item, field) for item in self._items)
            self._numbers[field] = np.array([np.nan if value is None else value for value in column])
        return self._numbers[field]

    def _listed(self, item_ids: Iterable[str]) -> Mask:
        mask = np.zeros(len(self._items), np.bool_)
        mask[[self._rows[item_id] for item_id in item_ids if item_id in self._rows]] = True
        return mask

    def _patch(self, rows: Rows) -> None:
        """Bring the cached masks and columns up to date for some rows."""
        size = len(self._items)
        for (field, value), mask in self._masks.items():
            patched = _grown(mask, size)
            patched[rows] = [value in values(self._items[row], field) for row in rows]
            self._masks[field, value] = patched
        for field, column in self._numbers.items():
            numbers = (number(self._items[row], field) for row in rows)
            patched_column = np.append(column, np.full(size - len(column), np.nan))
            patched_column[rows] = [np.nan if value is None else value for value in numbers]
            self._numbers[field] = patched_column


def _grown(mask: Mask, size: int) -> Mask:
    return np.append(mask, np.zeros(size - len(mask), np.bool_))
