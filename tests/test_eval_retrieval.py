"""The protocols hide what they say they hide."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval import cold, index, retrieval
from genrec import DataError, Event, Item, Store, User
from genrec.testing import FakeEncoder
from retrieval import Retriever
from retrieval.cache import VectorCache

_ITEMS = [Item(item_id=str(n), title=f"Film {n}") for n in range(300)]


def _build(store: Store, folder: Path) -> retrieval.Build:
    users = [store.user(user_id) for user_id in store.user_ids]

    def build(events: Sequence[Event]) -> Retriever:
        return Retriever.build(store.items, events, FakeEncoder(), VectorCache(folder / "v.sqlite"), users=users)

    return build


def _quiet(_: str) -> None:
    """Progress that nobody reads."""


def _views(user_id: str, items: Sequence[int]) -> list[Event]:
    return [Event(user_id=user_id, item_id=str(item), type="view") for item in items]


def test_chains_are_found_and_every_figure_is_there(own_cache: Path) -> None:
    store = Store(_ITEMS, [], [e for n in range(200) for e in _views(f"u{n}", [(n * 3 + s) % 300 for s in range(8)])])
    result = retrieval.measure(store, FakeEncoder(), _quiet, tables=True)
    assert result["metrics"].keys() == {
        *(f"{name}@{k}" for name in ("hr", "ndcg") for k in (5, 10)),
        *(f"recall@{k}" for k in (20, 50, 100)),
        "coverage@10",
        "long_tail@10",
    }
    assert result["metrics"]["hr@10"] > 0.9
    assert {row["signal"] for row in result["signals"]} >= {"after", "together", "popularity"}
    assert not {row["signal"] for row in result["signals"]} & {"instruction", "attribute"}
    explored = {row["policy"]: row for row in result["policies"]}
    assert explored["explore 2"]["ndcg@10"] <= explored["none"]["ndcg@10"]


def test_targets_that_nobody_could_know_are_not_known(own_cache: Path) -> None:
    draw = random.Random(0)
    store = Store(_ITEMS, [], [e for n in range(300) for e in _views(f"u{n}", draw.sample(range(300), 5))])
    result = retrieval.measure(store, FakeEncoder(), _quiet, tables=False)
    assert result["metrics"]["hr@10"] < 0.08  # chance is 0.034, its standard error 0.01


def test_too_little_to_measure_is_said(own_cache: Path) -> None:
    store = Store(_ITEMS, [], _views("u", [1, 2, 3]))
    with pytest.raises(DataError, match="1 users can tune and 1 be measured: 50 and 1 are needed"):
        retrieval.measure(store, FakeEncoder(), _quiet, tables=False)


def test_attributes_of_somebody_else_do_not_help(tmp_path: Path) -> None:
    users = [User(user_id=f"u{n}", attributes={"likes": "even" if n % 2 else "odd"}) for n in range(300)]
    draw = random.Random(0)
    taken = {user.user_id: draw.sample(range(int(user.user_id[1:]) % 2, 40, 2), 4) for user in users}
    store = Store(_ITEMS, users, [e for user_id, items in taken.items() for e in _views(user_id, items)])
    rows = {row["ranks by"]: row for row in cold.compare(store, _build(store, tmp_path), _quiet)["rows"]}
    assert rows["attributes"]["all"] > 1.5 * rows["popularity"]["all"]
    assert rows["attributes of somebody else"]["all"] < rows["attributes"]["all"]


def test_indexes_side_by_side() -> None:
    result = index.compare(items=10_000, queries=4, status=_quiet)
    assert [row["index"] for row in result["build"]] == ["faiss flat", "exact", "lance"]
    assert [row["filter"] for row in result["search"]] == ["none"] * 3 + ["keeps 1%"] * 3
    assert all(row["recall@100"] > 0.99 for row in result["search"])
