"""What every index promises, held against the exact one and, for pgvector, a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.random import default_rng

from retrieval.encoder import Vectors
from retrieval.index import ExactIndex, Index
from retrieval.index.lance import LanceIndex
from retrieval.index.postgres import PostgresIndex

_DIMENSIONS = 16
_MANY = 30_000
"""More than are compared one by one, so that an index that looks around has to."""


@pytest.fixture(params=["exact", "lance", "pgvector"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    if request.param == "exact":
        yield ExactIndex()
    elif request.param == "lance":
        yield LanceIndex(tmp_path / "index", _DIMENSIONS)
    else:
        table = f"t{abs(hash(request.node.name))}"
        postgres = PostgresIndex(request.getfixturevalue("server"), _DIMENSIONS, table=table)
        yield postgres
        postgres.close()


def _vectors(count: int, seed: int = 0) -> Vectors:
    vectors = default_rng(seed).standard_normal((count, _DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _all(count: int) -> np.ndarray:
    return np.ones(count, np.bool_)


def _filled(index: Index, count: int) -> Vectors:
    vectors = _vectors(count)
    index.replace(np.arange(count), vectors)
    return vectors


def test_an_empty_index_finds_nothing(index: Index) -> None:
    assert len(index) == 0
    assert index.search(_vectors(1)[0], 3, _all(5)).tolist() == []
    assert index.vectors(np.empty(0, np.int64)).shape[0] == 0


def test_the_nearest_come_first(index: Index) -> None:
    vectors = _filled(index, 50)
    query = _vectors(1, seed=1)[0]
    assert index.search(query, 7, _all(50)).tolist() == np.argsort(-(vectors @ query))[:7].tolist()
    assert len(index.search(query, 99, _all(50))) == 50


def test_filters_of_any_width_return_k_of_the_allowed(index: Index) -> None:
    vectors = _filled(index, _MANY)
    for share in (0.001, 0.1, 0.9):
        allowed = default_rng(1).random(_MANY) < share
        query = _vectors(1, seed=2)[0]
        found = index.search(query, 20, allowed)
        rows = np.flatnonzero(allowed)
        truth = rows[np.argsort(-(vectors[rows] @ query))][:20]
        assert len(set(found.tolist())) == 20
        assert allowed[found].all()
        assert len(set(found.tolist()) & set(truth.tolist())) >= 19


def test_rows_beyond_the_mask_are_not_allowed(index: Index) -> None:
    _filled(index, 20)
    assert set(index.search(_vectors(1)[0], 20, _all(5)).tolist()) == set(range(5))
    assert index.search(_vectors(1)[0], 3, np.zeros(20, np.bool_)).tolist() == []


def test_upsert_adds_and_replaces_at_once(index: Index) -> None:
    vectors = _filled(index, 10)
    fresh = _vectors(2, seed=3)
    index.upsert(np.array([4, 40]), fresh)
    assert len(index) == 11
    assert np.allclose(index.vectors(np.array([40, 4, 5])), [fresh[1], fresh[0], vectors[5]])
    assert index.search(fresh[1], 1, _all(41)).tolist() == [40]
    index.upsert(np.empty(0, np.int64), np.empty((0, _DIMENSIONS), np.float32))


def test_vectors_come_in_the_order_and_number_asked_for(index: Index) -> None:
    vectors = _filled(index, 10)
    assert np.allclose(index.vectors(np.array([7, 2, 7])), vectors[[7, 2, 7]])
    with pytest.raises(KeyError, match="row 10"):
        index.vectors(np.array([1, 10]))


def test_an_empty_index_has_no_vectors_and_finds_nothing(index: Index) -> None:
    with pytest.raises(KeyError, match="row 0"):
        index.vectors(np.array([0]))
    assert index.search(_vectors(1)[0], 3, _all(5)).tolist() == []


def test_what_is_deleted_is_not_found(index: Index) -> None:
    vectors = _filled(index, 10)
    index.delete(np.array([3, 77]))
    assert len(index) == 9
    assert 3 not in index.search(vectors[3], 10, _all(10)).tolist()
    with pytest.raises(KeyError, match="row 3"):
        index.vectors(np.array([3]))


def test_replace_leaves_nothing_of_before(index: Index) -> None:
    _filled(index, 10)
    fresh = _vectors(2, seed=4)
    index.replace(np.array([1, 12]), fresh)
    assert len(index) == 2
    assert set(index.search(fresh[0], 9, _all(20)).tolist()) == {1, 12}


@pytest.mark.parametrize("shape", [(2, _DIMENSIONS), (1, _DIMENSIONS + 1), (_DIMENSIONS,)])
def test_vectors_of_another_shape_are_refused(index: Index, shape: tuple[int, ...]) -> None:
    _filled(index, 3)
    bad: Callable[..., None]
    for bad in (index.upsert, index.replace):
        with pytest.raises(ValueError, match=r"vector|dimensions"):
            bad(np.array([0]), np.zeros(shape, np.float32))
    assert len(index) == 3
