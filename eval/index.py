"""The index at scale: build time, memory, and how long a search takes at which recall, beside raw FAISS.

Vectors are drawn around two thousand centres with a seed, queries around the same; all methods answer the same
queries in turn, so that a busy machine slows them alike. Truth is what FAISS's flat index finds.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np
import psutil

from retrieval.encoder import Vectors
from retrieval.index import ExactIndex, Mask, Rows, Vector
from retrieval.index.lance import LanceIndex

_DIMENSIONS = 384
_CENTRES = 2000
_SPREAD = 0.9
_K = 100
_FILTER = 0.01
_SEED = 20261124
_BATCH = 50_000

Search = Callable[[Vector, Mask], Rows]


def compare(items: int, queries: int, status: Callable[[str], None]) -> dict[str, Any]:
    """A row for each index, with and without a filter that keeps 1% of the items."""
    status(f"drawing {items} vectors")
    vectors = _draw(items, seed=1)
    asked = _draw(queries, seed=2)
    everything = np.ones(items, np.bool_)
    filtered = np.random.default_rng(_SEED).random(items) < _FILTER
    folder = Path(tempfile.mkdtemp(prefix="genrec-index-"))
    try:
        searches, builds = _build(vectors, folder, status)
        rows = []
        for name, allowed in (("none", everything), ("keeps 1%", filtered)):
            status(f"searching, filter: {name}")
            rows += [{"filter": name, **row} for row in _race(searches, asked, allowed)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"items": items, "dimensions": _DIMENSIONS, "k": _K, "queries": queries, "build": builds, "search": rows}


def _draw(count: int, seed: int) -> Vectors:
    centres = np.random.default_rng(_SEED).standard_normal((_CENTRES, _DIMENSIONS)).astype(np.float32)
    numbers = np.random.default_rng(seed)
    drawn = np.empty((count, _DIMENSIONS), np.float32)
    for start in range(0, count, _BATCH):
        part = drawn[start : start + _BATCH]
        part[:] = centres[numbers.integers(0, _CENTRES, len(part))]
        part += _SPREAD * numbers.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return drawn


def _build(
    vectors: Vectors, folder: Path, status: Callable[[str], None]
) -> tuple[dict[str, Search], list[dict[str, Any]]]:
    """Every index, filled; seconds, memory gained meanwhile and disk of each."""
    rows = np.arange(len(vectors), dtype=np.int64)
    flat, exact = faiss.IndexFlatIP(_DIMENSIONS), ExactIndex()
    lance = LanceIndex(folder, _DIMENSIONS)
    fills: dict[str, Callable[[], None]] = {
        "faiss flat": lambda: flat.add(vectors),
        "exact": lambda: exact.replace(rows, vectors),
        "lance": lambda: lance.replace(rows, vectors),
    }
    builds = []
    for name, fill in fills.items():
        status(f"building: {name}")
        before, started = _memory(), perf_counter()
        fill()
        took, disk = perf_counter() - started, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        builds.append(
            {
                "index": name,
                "seconds": round(took, 1),
                "memory MB": round((_memory() - before) / 1e6),
                "disk MB": round(disk / 1e6) if name == "lance" else 0,
                "settings": "",
            }
        )
    builds[-1]["settings"] = str(lance.settings)
    searches: dict[str, Search] = {
        "faiss flat": lambda query, allowed: _faiss(flat, query, allowed),
        "exact": lambda query, allowed: exact.search(query, _K, allowed),
        "lance": lambda query, allowed: lance.search(query, _K, allowed),
    }
    return searches, builds


def _faiss(index: Any, query: Vector, allowed: Mask) -> Rows:
    parameters: Any = None
    if not allowed.all():
        parameters = faiss.SearchParameters()
        parameters.sel = faiss.IDSelectorBatch(np.flatnonzero(allowed))
    found = np.asarray(index.search(query[None], _K, params=parameters)[1][0], np.int64)
    return found[found >= 0]  # it fills up with -1


def _race(searches: dict[str, Search], queries: Vectors, allowed: Mask) -> list[dict[str, Any]]:
    """All methods on each query in turn; the first search of each, which warms caches, is not counted."""
    times: dict[str, list[float]] = {name: [] for name in searches}
    shares: dict[str, list[float]] = {name: [] for name in searches}
    for number, query in enumerate(queries):
        truth: Rows | None = None
        for name, search in searches.items():
            started = perf_counter()
            found = search(query, allowed)
            took = perf_counter() - started
            truth = found if truth is None else truth
            if number:
                times[name].append(1000 * took)
                shares[name].append(float(np.isin(truth, found).mean()))
    base = np.median(times["faiss flat"])
    return [
        {
            "index": name,
            "recall@100": round(float(np.mean(shares[name])), 3),
            "p50 ms": round(float(np.median(times[name])), 1),
            "p99 ms": round(float(np.quantile(times[name], 0.99)), 1),
            "p50 / faiss": round(float(np.median(times[name]) / base), 2),
        }
        for name in searches
    ]


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)
