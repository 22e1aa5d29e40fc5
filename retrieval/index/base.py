"""What the retriever needs of an index."""

from __future__ import annotations

from typing import Protocol

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

    def delete(self, rows: Rows) -> None:
        """Forget items; a row that is not there is none to forget."""
