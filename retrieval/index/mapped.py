"""Vectors by row in a memory-mapped file: a copy to read from, never to trust."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retrieval.encoder import Vectors
from retrieval.index.base import Rows


class MappedVectors:
    """Reads what may be stale or torn; whoever reads compares checksums. Opens the file, or begins an empty one."""

    def __init__(self, path: Path, dimensions: int) -> None:
        self._path, self._dimensions = path, dimensions
        if not path.exists():
            path.touch()
        self._map = self._mapped(path.stat().st_size // (4 * dimensions))

    def read(self, rows: Rows) -> Vectors:
        """The vectors, shape (len(rows), d); zeros for a row that was never written."""
        vectors = np.zeros((len(rows), self._dimensions), np.float32)
        inside = rows < len(self._map)
        vectors[inside] = self._map[rows[inside]]
        return vectors

    def write(self, rows: Rows, vectors: Vectors) -> None:
        """Keep vectors, in a file that grows by a quarter at a time."""
        size = int(rows.max(initial=-1)) + 1
        if size > len(self._map):
            size = max(size, len(self._map) * 5 // 4)
            with self._path.open("r+b") as file:
                file.truncate(size * 4 * self._dimensions)
            self._map = self._mapped(size)
        self._map[rows] = vectors

    def _mapped(self, rows: int) -> Vectors:
        if not rows:
            return np.empty((0, self._dimensions), np.float32)
        return np.memmap(self._path, np.float32, "r+", shape=(rows, self._dimensions))
