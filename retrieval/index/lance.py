"""An index on disk for a million items and more: LanceDB, one folder a generation.

`CURRENT` names the generation that is served and carries a checksum. A generation is written whole before
`CURRENT` points at it, so a half-written one is never served. Upserts and deletes are commits of LanceDB. Vectors
are read from a mapped copy, each checked against the checksum that LanceDB holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from lancedb.index import BTree, IvfRq

from retrieval.encoder import Vectors
from retrieval.index.base import NARROW, DamagedIndex, Mask, Rows, Vector, check_shape, nearest, wide_search
from retrieval.index.mapped import MappedVectors

_CURRENT = "CURRENT"
_TABLE = "vectors"
_COPY = "copy.f32"
_BATCH = 50_000
_APPROXIMATE_FROM = 50_000
"""Below so many items LanceDB compares them all, which is fast and exact."""
_PARTITION = 1000
_UNINDEXED = 0.05
"""Share of items outside the partitions at which they are sorted in; until then they are compared one by one."""
_TUNING_QUERIES = 50
_TUNING_K = 50
_TUNING_NOISE = 0.3
"""Length of what is added to a stored vector to make a query of it."""
_SETTINGS = ((20, 2), (20, 5), (50, 5), (100, 10), (300, 10), (300, 40))
"""(partitions looked at, candidates compared exactly per wanted item), cheapest first."""

Digests = npt.NDArray[np.uint64]


class LanceIndex:
    """Opens the index in a folder, or begins an empty one.

    `target_recall`: what share of the fifty nearest items tuning must find, against exact search.

    Raises:
        DamagedIndex: what `CURRENT` names is not what was written; remove the folder and fill a new index.
    """

    def __init__(self, folder: Path, dimensions: int, *, target_recall: float = 0.98) -> None:
        self._folder, self._dimensions, self._target = folder, dimensions, target_recall
        folder.mkdir(parents=True, exist_ok=True)
        self._digests = np.zeros(0, np.uint64)  # by row; 0 for a row without a vector
        self._settings: tuple[int, int] | None = None
        if (folder / _CURRENT).exists():
            self._open()
        else:
            self.replace(np.empty(0, np.int64), np.empty((0, dimensions), np.float32))

    def __len__(self) -> int:
        return int(np.count_nonzero(self._digests))

    @property
    def settings(self) -> tuple[int, int] | None:
        """(partitions looked at, candidates compared exactly per wanted item); None while all items are compared."""
        return self._settings

    def search(self, query: Vector, k: int, allowed: Mask) -> Rows:
        size = min(len(allowed), len(self._digests))
        known = allowed[:size] & (self._digests[:size] > 0)
        found = np.flatnonzero(known)
        if len(found) <= NARROW:
            return found[nearest(self._read(found) @ query, k)]
        return wide_search(partial(self._near, query), k, allowed, len(self))

    def vectors(self, rows: Rows) -> Vectors:
        known = rows < len(self._digests)
        known[known] = self._digests[rows[known]] > 0
        if not known.all():
            raise KeyError(f"row {int(rows[~known][0])} has no vector in the index")
        return self._read(rows)

    def upsert(self, rows: Rows, vectors: Vectors) -> None:
        """What is there already is not written again: after a restart only what is new costs anything."""
        check_shape(rows, vectors, self._dimensions)
        if not len(rows):
            return
        digests = _digests(vectors)
        self._make_room(int(rows.max()) + 1)
        changed = self._digests[rows] != digests
        if changed.any():
            merge = self._table.merge_insert("row").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(_table(rows[changed], vectors[changed], digests[changed], self._schema))
            self._digests[rows] = digests
            self._copy.write(rows, vectors)
            self._sort_in()

    def delete(self, rows: Rows) -> None:
        known = rows[rows < len(self._digests)]
        known = known[self._digests[known] > 0]
        if len(known):
            self._table.delete(_is_one_of(known))
            self._digests[known] = 0

    def replace(self, rows: Rows, vectors: Vectors) -> None:
        check_shape(rows, vectors, self._dimensions)
        name = f"generation-{uuid.uuid4().hex[:12]}"
        digests = _digests(vectors)
        table = lancedb.connect(self._folder / name).create_table(
            _TABLE, data=self._batches(rows, vectors, digests) if len(rows) else None, schema=self._schema
        )
        settings = None
        if len(rows):
            table.create_index("row", config=BTree())
        if len(rows) >= _APPROXIMATE_FROM:
            table.create_index("vector", config=IvfRq(distance_type="dot", num_partitions=len(rows) // _PARTITION))
            settings = _tune(table, vectors, self._target)
        _point_at(self._folder, {"generation": name, "dimensions": self._dimensions, "settings": settings})
        self._table, self._settings = table, settings
        self._copy = MappedVectors(self._folder / name / _COPY, self._dimensions)
        self._copy.write(rows, vectors)
        self._digests = np.zeros(0, np.uint64)
        self._make_room(int(rows.max(initial=-1)) + 1)
        self._digests[rows] = digests
        self._sweep(name)

    def verify(self) -> None:
        """Read every vector and compare it with the digest written beside it. Raises DamagedIndex."""
        for batch in self._table.search().to_batches(_BATCH):
            rows, vectors = _rows_and_vectors(pa.Table.from_batches([batch]), self._dimensions)
            wrong = _digests(vectors) != batch["digest"].to_numpy()
            if wrong.any():
                raise DamagedIndex(f"{self._folder}: the vector of row {int(rows[wrong][0])} is not what was written")

    def _open(self) -> None:
        current = _read_current(self._folder)
        if current["dimensions"] != self._dimensions:
            raise ValueError(
                f"{self._folder} holds vectors of {current['dimensions']} dimensions, not {self._dimensions}: "
                "another encoder wrote it; remove the folder and fill a new index"
            )
        try:
            self._table = lancedb.connect(self._folder / current["generation"]).open_table(_TABLE)
            stored = self._table.search().select(["row", "digest"]).to_arrow()
        except (OSError, ValueError, RuntimeError) as error:
            raise DamagedIndex(f"{self._folder}/{current['generation']} cannot be read: {error}") from error
        self._settings = tuple(current["settings"]) if current["settings"] else None
        self._copy = MappedVectors(self._folder / current["generation"] / _COPY, self._dimensions)
        rows = stored["row"].to_numpy()
        self._make_room(int(rows.max(initial=-1)) + 1)
        self._digests[rows] = stored["digest"].to_numpy()
        self._sweep(current["generation"])

    def _near(self, query: Vector, n: int) -> Rows:
        """The n nearest, as exactly as was tuned."""
        search: Any = self._table.search(query)
        search = search.distance_type("dot").limit(n).select(["row", "_distance"])
        if self._settings is None:
            search = search.bypass_vector_index()
        else:
            probes, refine = self._settings
            search = search.nprobes(probes).refine_factor(refine)
        return np.asarray(search.to_arrow()["row"].to_numpy(), np.int64)

    def _read(self, rows: Rows) -> Vectors:
        """The vectors of rows that are there: from the mapped copy, and from the table where the copy is not right."""
        vectors = self._copy.read(rows)
        wrong = _digests(vectors) != self._digests[rows]
        if wrong.any():
            found = self._table.search().where(_is_one_of(np.unique(rows[wrong]))).select(["row", "vector"]).to_arrow()
            stored, right = _rows_and_vectors(found.sort_by("row"), self._dimensions)
            self._copy.write(stored, right)
            vectors[wrong] = right[np.searchsorted(stored, rows[wrong])]
        return vectors

    def _sort_in(self) -> None:
        """Bring items that came after the partitions were made into them, once there are many."""
        if self._settings is None:
            return
        stats = [self._table.index_stats(index.name) for index in self._table.list_indices()]
        outside = max((stat.num_unindexed_rows for stat in stats if stat), default=0)
        if outside > _UNINDEXED * len(self):
            self._table.optimize(cleanup_older_than=timedelta(minutes=10))

    def _make_room(self, size: int) -> None:
        if size > len(self._digests):
            room = np.zeros(max(size, 2 * len(self._digests)), np.uint64)
            room[: len(self._digests)] = self._digests
            self._digests = room

    def _batches(self, rows: Rows, vectors: Vectors, digests: Digests) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            yield from _table(rows[part], vectors[part], digests[part], self._schema).to_batches()

    def _sweep(self, current: str) -> None:
        """Remove what a replacement, finished or interrupted, has left behind."""
        for folder in self._folder.glob("generation-*"):
            if folder.name != current:
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def _schema(self) -> pa.Schema:
        vector = pa.list_(pa.float32(), self._dimensions)
        return pa.schema([("row", pa.int64()), ("digest", pa.uint64()), ("vector", vector)])


def _tune(table: Any, vectors: Vectors, target: float) -> tuple[int, int] | None:
    """The cheapest setting that finds the target share of the truly nearest; None where none does.

    Then all items are compared: slower, and right.
    """
    random = np.random.default_rng(0)
    queries = vectors[random.choice(len(vectors), _TUNING_QUERIES, replace=False)]
    queries = queries + random.normal(0, _TUNING_NOISE / vectors.shape[1] ** 0.5, queries.shape).astype(np.float32)
    truth = np.array([nearest(vectors @ query, _TUNING_K) for query in queries])
    stored = table.search().select(["row"]).limit(len(vectors)).to_arrow()["row"].to_numpy()
    for probes, refine in _SETTINGS:
        shares = []
        for query, best in zip(queries, truth, strict=True):
            search = table.search(query).distance_type("dot").limit(_TUNING_K).select(["row", "_distance"])
            found = search.nprobes(probes).refine_factor(refine).to_arrow()["row"].to_numpy()
            shares.append(np.isin(found, stored[best]).mean())
        if np.mean(shares) >= target:
            return probes, refine
    return None


def _point_at(folder: Path, content: dict[str, Any]) -> None:
    """Write `CURRENT` anew: whole, on disk, and only then in place."""
    text = json.dumps(content, sort_keys=True)
    draft = folder / f"{_CURRENT}.draft"
    with draft.open("w", encoding="utf-8") as file:
        file.write(f"{hashlib.sha256(text.encode()).hexdigest()} {text}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _CURRENT)


def _read_current(folder: Path) -> dict[str, Any]:
    checksum, _, text = (folder / _CURRENT).read_text(encoding="utf-8").strip().partition(" ")
    if hashlib.sha256(text.encode()).hexdigest() != checksum:
        raise DamagedIndex(f"{folder / _CURRENT} is not what was written: remove {folder} and fill a new index")
    content: dict[str, Any] = json.loads(text)
    return content


def _digests(vectors: Vectors) -> Digests:
    """A checksum of each vector, never 0: its bits times fixed odd numbers, summed modulo 2^64.

    Multilinear hashing (Lemire and Kaser, 2014).
    """
    even = vectors if vectors.shape[1] % 2 == 0 else np.pad(vectors, ((0, 0), (0, 1)))
    bits = np.ascontiguousarray(even, np.float32).view(np.uint64)
    keys = np.random.default_rng(0).integers(0, 2**63, bits.shape[1], np.uint64) * 2 + 1
    sums: Digests = np.einsum("ij,j->i", bits, keys)
    return np.maximum(sums, np.uint64(1))


def _table(rows: Rows, vectors: Vectors, digests: Digests, schema: pa.Schema) -> pa.Table:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table([pa.array(rows), pa.array(digests), lists], schema=schema)


def _rows_and_vectors(table: pa.Table, dimensions: int) -> tuple[Rows, Vectors]:
    flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return table["row"].to_numpy(), np.asarray(flat, np.float32).reshape(-1, dimensions)


def _is_one_of(rows: Rows) -> str:
    return f"row IN ({','.join(map(str, rows.tolist()))})"
