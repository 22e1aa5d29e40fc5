"""What the retriever needs of an index."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from retrieval.encoder import Vectors

Rows = npt.NDArray[np.int64]
"""Row numbers of the catalogue, shape (n,)."""
Mask = npt.NDArray[np.bool_]
"""Which rows may be found, shape (rows of the catalogue,)."""
Vector = npt.NDArray[np.float32]
"""A unit vector, shape (d,)."""


class Index(Protocol):
    """Nearest items by cosine. All vectors are unit vectors; an item is its row in the catalogue.

    The tests hold every index to the same contract: `tests/retrieval/index/contract.py`.
    """

    def __len__(self) -> int:
        """How many items can be found."""

    def search(self, query: Vector, k: int, allowed: Mask) -> Rows:
        """The k allowed items nearest to `query`, nearest first; all of them where fewer than k are allowed.

        Rows beyond the end of `allowed` are not allowed.
        """

    def vectors(self, rows: Rows) -> Vectors:
        """The stored vectors, shape (len(rows), d), in the order of `rows`. Raises KeyError for a row without one."""

    def upsert(self, rows: Rows, vectors: Vectors) -> None:
        """Add items or replace their vectors; they are found when this returns. Raises ValueError for a bad shape."""

    def replace(self, rows: Rows, vectors: Vectors) -> None:
        """Hold exactly these items. What was found before is found until all of them are there, then only they."""

    def delete(self, rows: Rows) -> None:
        """Forget items; a row that is not there is none to forget."""


class DamagedIndex(RuntimeError):
    """What is on disk is not what was written there. The cure is always `replace`, from the truth."""


NARROW = 20_000
"""So few allowed items are compared one by one, whatever the index: exact, and faster than to look around."""


def wide_search(fetch: Callable[[int], Rows], k: int, allowed: Mask, size: int) -> Rows:
    """The k first allowed rows of an index that knows no mask, by asking it for more.

    `fetch` gives the n nearest rows; it is asked for four times as many until k allowed ones are among them or
    it has no more than `size`.
    """
    ask = min(size, math.ceil(1.2 * k * len(allowed) / max(1, int(np.count_nonzero(allowed)))) + 10)
    while True:
        found = fetch(ask)
        kept = found[found < len(allowed)]
        kept = kept[allowed[kept]]
        if len(kept) >= k or ask >= size:
            return kept[:k]
        ask = min(size, 4 * ask)


def nearest(scores: npt.NDArray[np.floating[Any]], k: int) -> Rows:
    """Places of the k highest scores, highest first; ties go to the earlier place, so that answers repeat."""
    if k < len(scores):
        bar = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= bar)
    else:
        places = np.arange(len(scores))
    return np.asarray(places[np.argsort(-scores[places], kind="stable")][:k], np.int64)


def check_shape(rows: Rows, vectors: Vectors, dimensions: int | None) -> None:
    """Raises ValueError where vectors do not fit the rows or the index."""
    if vectors.ndim != 2 or len(rows) != len(vectors):
        raise ValueError(f"{len(rows)} rows for vectors of shape {vectors.shape}: give one vector to each row")
    if dimensions is not None and len(rows) and vectors.shape[1] != dimensions:
        raise ValueError(f"vectors have {vectors.shape[1]} dimensions, the index has {dimensions}: rebuild it")
