"""A matrix in memory and one product per search: exact, and fast up to some 200,000 items."""

from __future__ import annotations

import numpy as np

from retrieval.encoder import Vectors
from retrieval.index.base import Mask, Rows, Vector, check_shape, nearest

_NARROW = 0.25
"""Below this share of allowed items their vectors are gathered first; above it, one product over all is cheaper."""


class ExactIndex:
    """Row r of the catalogue is row r of the matrix; room is doubled when it runs out."""

    def __init__(self) -> None:
        self._matrix = np.empty((0, 0), np.float32)
        self._filled = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        return int(self._filled.sum())

    def search(self, query: Vector, k: int, allowed: Mask) -> Rows:
        size = min(len(allowed), len(self._filled))
        rows = np.flatnonzero(allowed[:size] & self._filled[:size])
        if not len(rows):
            return rows
        narrow = len(rows) < _NARROW * size
        scores = self._matrix[rows] @ query if narrow else (self._matrix[:size] @ query)[rows]
        return rows[nearest(scores, k)]

    def vectors(self, rows: Rows) -> Vectors:
        if len(rows) and (rows.max() >= len(self._filled) or not self._filled[rows].all()):
            missing = next(row for row in rows.tolist() if row >= len(self._filled) or not self._filled[row])
            raise KeyError(f"row {missing} has no vector in the index")
        return self._matrix[rows]

    def upsert(self, rows: Rows, vectors: Vectors) -> None:
        check_shape(rows, vectors, self._matrix.shape[1] if len(self._matrix) else None)
        if not len(rows):
            return
        self._make_room(int(rows.max()) + 1, vectors.shape[1])
        self._matrix[rows] = vectors
        self._filled[rows] = True

    def replace(self, rows: Rows, vectors: Vectors) -> None:
        check_shape(rows, vectors, self._matrix.shape[1] if len(self._matrix) else None)
        fresh = ExactIndex()
        fresh.upsert(rows, vectors)
        self._matrix, self._filled = fresh._matrix, fresh._filled

    def delete(self, rows: Rows) -> None:
        self._filled[rows[rows < len(self._filled)]] = False

    def _make_room(self, size: int, dimensions: int) -> None:
        if size <= len(self._matrix):
            return
        room = max(size, 2 * len(self._matrix)) if len(self._matrix) else size
        matrix, filled = np.zeros((room, dimensions), np.float32), np.zeros(room, np.bool_)
        matrix[: len(self._matrix)] = self._matrix if len(self._matrix) else 0
        filled[: len(self._filled)] = self._filled
        self._matrix, self._filled = matrix, filled
