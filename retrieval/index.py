"""Vectors → neighbours. One protocol; so far one implementation, exact."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from retrieval.encoder import Vectors


class Index(Protocol):
    """Nearest items by cosine. All vectors are unit vectors."""

    def search(self, query: npt.NDArray[np.float32], k: int, exclude: Collection[str]) -> list[str]:
        """The ids of the k items nearest to `query`, shape (d,), nearest first, without `exclude`."""

    def vectors(self, item_ids: Sequence[str]) -> Vectors:
        """The stored vectors, shape (len(item_ids), d). Raises KeyError for an id that is not there."""


class ExactIndex:
    """A matrix in memory and one product per search: exact, and fast up to some 200,000 items."""

    def __init__(self, item_ids: Sequence[str], vectors: Vectors) -> None:
        if len(item_ids) != len(vectors):
            raise ValueError(f"{len(item_ids)} item ids for {len(vectors)} vectors")
        self._ids = list(item_ids)
        self._row = {item_id: row for row, item_id in enumerate(item_ids)}
        self._vectors = vectors

    def search(self, query: npt.NDArray[np.float32], k: int, exclude: Collection[str]) -> list[str]:
        scores = self._vectors @ query
        scores[[self._row[item_id] for item_id in exclude if item_id in self._row]] = -np.inf
        k = min(k, int(np.isfinite(scores).sum()))
        # Ties go to the earlier item, so that the same question always has the same answer.
        nearest = np.argsort(-scores, kind="stable")[:k]
        return [self._ids[row] for row in nearest]

    def vectors(self, item_ids: Sequence[str]) -> Vectors:
        return self._vectors[[self._row[item_id] for item_id in item_ids]]
