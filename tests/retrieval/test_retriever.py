"""Signals add up, say what they come from, and prefer what the user likes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from genrec.testing import FakeEncoder, tiny_store
from retrieval import Context, Event, Item, Query, Retriever, User
from retrieval.cache import VectorCache
from retrieval.encoder import Vectors
from retrieval.index import ExactIndex
from retrieval.signals import Popularity, Weights, event_weights, strength

_DAY = datetime(2026, 11, 1, tzinfo=UTC)


class CountingEncoder(FakeEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode(self, texts: list[str]) -> Vectors:
        self.texts += texts
        return super().encode(texts)


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    store = tiny_store()
    return Retriever.build(store.items, store.events, FakeEncoder(), VectorCache(tmp_path / "vectors.sqlite"))


def _bought(item_id: str, days: int = 0, kind: str = "purchase") -> Event:
    return Event(user_id="u", item_id=item_id, type=kind, timestamp=_DAY + timedelta(days=days))


def test_contributions_sum_to_the_score(retriever: Retriever) -> None:
    query = Query(
        User(user_id="u", attributes={"age": 30, "city": "Delft", "nothing": None}),
        [_bought("green-tea"), _bought("mocha", 1, "dismiss")],
        Context(place="Delft", device="PC"),
        "something with tea",
    )
    for candidate in retriever.retrieve(query, 6):
        assert candidate.score == pytest.approx(sum(part.value for part in candidate.contributions), abs=1e-6)
        kinds = {part.kind for part in candidate.contributions}
        assert kinds == {"event", "attribute", "context", "instruction", "item"}


def test_what_is_like_the_history_comes_first_and_seen_items_do_not_come(retriever: Retriever) -> None:
    found = [c.item.item_id for c in retriever.retrieve(Query(User(user_id="u"), [_bought("green-tea")]), 6)]
    assert set(found[:2]) == {"black-tea", "oolong-tea"}
    assert "green-tea" not in found


def test_a_dismissed_item_speaks_against_its_like(retriever: Retriever) -> None:
    query = Query(User(user_id="u"), [_bought("green-tea"), _bought("espresso", 1, "dismiss")])
    candidates = {c.item.item_id: c for c in retriever.retrieve(query, 6)}
    [part] = [p for p in candidates["mocha"].contributions if p.ref.startswith("dismiss")]
    assert part.value < 0


def test_the_instruction_leads(retriever: Retriever) -> None:
    query = Query(User(user_id="u"), [_bought("green-tea")], instruction="Filter coffee")
    assert retriever.retrieve(query, 1)[0].item.categories == ("coffee",)


def test_nobody_known_gets_what_is_popular(retriever: Retriever) -> None:
    assert {c.item.item_id for c in retriever.retrieve(Query(User(user_id="u")), 2)} == {"green-tea", "espresso"}


def test_a_catalogue_without_events_or_knowledge_is_served_in_its_order(tmp_path: Path) -> None:
    items = [Item(item_id=str(number), title=f"Item {number}") for number in range(5)]
    retriever = Retriever.build(items, [], FakeEncoder(), VectorCache(tmp_path / "v.sqlite"))
    assert [c.item.item_id for c in retriever.retrieve(Query(User(user_id="u")), 3)] == ["0", "1", "2"]


def test_similar_items_without_the_item_itself(retriever: Retriever) -> None:
    found = retriever.similar("green-tea", 2)
    assert [c.item.item_id for c in found] == ["black-tea", "oolong-tea"]
    assert found[0].score == pytest.approx(found[0].contributions[0].value)


def test_recent_events_weigh_more_and_absolute_weights_sum_to_one() -> None:
    weights = event_weights([_bought("a", 0), _bought("b", 10), _bought("c", 20, "dismiss")], Weights())
    assert weights[0] < weights[1]
    assert weights[2] < 0
    assert sum(map(abs, weights)) == pytest.approx(1)
    assert event_weights([], Weights()) == []


@pytest.mark.parametrize(("value", "says"), [(5, 1.0), (4, 0.6), (2.5, 0.0), (1, -0.6), (100, 1.0), (-100, -1.0)])
def test_strength_of_ratings(value: float, says: float) -> None:
    assert strength(Event(user_id="u", item_id="i", type="rate", value=value)) == pytest.approx(says)


def test_any_other_word_is_an_event_too() -> None:
    assert strength(Event(user_id="u", item_id="i", type="follow")) > 0


def test_popularity_counts_users_once_and_only_for_it() -> None:
    events = [
        Event(user_id="a", item_id="x", type="view"),
        Event(user_id="a", item_id="x", type="purchase"),
        Event(user_id="b", item_id="x", type="dismiss"),
        Event(user_id="b", item_id="y", type="rate", value=1),
    ]
    popularity = Popularity(events)
    assert popularity.users == {"x": 1}
    assert (popularity.of("x"), popularity.of("y")) == (1.0, 0.0)


def test_ties_go_to_the_earlier_item() -> None:
    index = ExactIndex(["b", "a", "c"], np.eye(3, dtype=np.float32)[[0, 0, 1]])
    assert index.search(np.array([1, 0, 0], np.float32), 2, ()) == ["b", "a"]
    assert index.search(np.array([1, 0, 0], np.float32), 9, {"b"}) == ["a", "c"]


def test_only_new_texts_are_encoded(tmp_path: Path) -> None:
    cache, encoder = VectorCache(tmp_path / "vectors.sqlite"), CountingEncoder()
    first = cache.encode(encoder, ["tea", "coffee", "tea"])
    second = cache.encode(encoder, ["coffee", "cocoa"])
    assert encoder.texts == ["tea", "coffee", "cocoa"]
    assert np.array_equal(first[1], second[0])
    assert np.array_equal(first[0], first[2])
