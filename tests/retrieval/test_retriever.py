"""One score that knows its parts; filters, seen items, diversity and exploration on top of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from genrec.testing import FakeEncoder, tiny_store
from retrieval import Between, Candidate, Context, Event, Filter, Item, Policy, Query, Retriever, User, Weights
from retrieval.cache import VectorCache
from retrieval.choice import seen
from retrieval.encoder import Vectors

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
        User(user_id="u", attributes={"age": 30, "drinks": "tea", "nothing": None}),
        [_bought("green-tea"), _bought("mocha", 1, "dismiss")],
        Context(place="Delft", device="tea"),
        "something with tea",
    )
    kinds = set()
    for candidate in retriever.retrieve(query, 6):
        assert candidate.score == pytest.approx(sum(part.value for part in candidate.contributions), abs=1e-9)
        kinds |= {part.kind for part in candidate.contributions}
        assert all(part.signal in Weights.model_fields for part in candidate.contributions)
    assert kinds == {"event", "attribute", "context", "instruction", "item"}


def test_what_is_like_the_history_comes_first_and_seen_items_do_not_come(retriever: Retriever) -> None:
    found = [c.item.item_id for c in retriever.retrieve(Query(User(user_id="u"), [_bought("green-tea")]), 6)]
    assert set(found[:2]) == {"black-tea", "oolong-tea"}
    assert "green-tea" not in found


def test_a_dismissed_item_speaks_against_its_like(retriever: Retriever) -> None:
    query = Query(User(user_id="u"), [_bought("green-tea"), _bought("espresso", 1, "dismiss")])
    candidates = {c.item.item_id: c for c in retriever.retrieve(query, 6)}
    parts = [part.value for part in candidates["mocha"].contributions if part.ref.startswith("dismiss")]
    assert parts
    assert max(parts) < 0


def test_the_instruction_leads(retriever: Retriever) -> None:
    query = Query(User(user_id="u"), [_bought("green-tea")], instruction="Filter coffee")
    assert retriever.retrieve(query, 1)[0].item.categories == ("coffee",)


def test_nobody_known_gets_what_is_popular(retriever: Retriever) -> None:
    assert {c.item.item_id for c in retriever.retrieve(Query(User(user_id="u")), 2)} == {"green-tea", "espresso"}


def test_a_catalogue_without_events_or_knowledge_is_served_in_its_order(tmp_path: Path) -> None:
    items = [Item(item_id=str(number), title=f"Item {number}") for number in range(5)]
    retriever = Retriever.build(items, [], FakeEncoder(), VectorCache(tmp_path / "v.sqlite"))
    assert [c.item.item_id for c in retriever.retrieve(Query(User(user_id="u")), 3)] == ["0", "1", "2"]


def test_similar_items_without_the_item_itself_and_with_what_speaks_for_them(retriever: Retriever) -> None:
    found = retriever.similar("green-tea", 2)
    assert [c.item.item_id for c in found] == ["black-tea", "oolong-tea"]
    assert {part.ref for part in found[0].contributions if part.signal == "semantic"} == {"green-tea"}
    assert found[0].score == pytest.approx(sum(part.value for part in found[0].contributions))


def test_a_filter_narrower_than_what_signals_put_forward_still_returns_k(tmp_path: Path) -> None:
    items = [Item(item_id=str(n), title=f"Film {n}", price=n, attributes={"rating": n % 3}) for n in range(1000)]
    events = [Event(user_id=f"u{n}", item_id=str(n % 7), type="purchase") for n in range(50)]
    retriever = Retriever.build(items, events, FakeEncoder(), VectorCache(tmp_path / "v.sqlite"))
    narrow = Filter(where={"price": Between(low=900, high=990), "rating": 1})
    found = _ids(retriever.retrieve(Query(User(user_id="u1"), [_bought("1")], filter=narrow), 20))
    assert len(set(found)) == 20
    assert all(900 <= int(found_id) <= 990 and int(found_id) % 3 == 1 for found_id in found)


def test_allow_and_deny(retriever: Retriever) -> None:
    listed = Filter(allow=frozenset({"mocha", "espresso", "unknown"}), deny=frozenset({"espresso"}))
    assert _ids(retriever.retrieve(Query(User(user_id="u"), filter=listed), 5)) == ["mocha"]


def test_seen_items_come_again_when_the_policy_says_so(retriever: Retriever) -> None:
    history, now = [_bought("green-tea", 0), _bought("espresso", 9)], _DAY + timedelta(days=10)
    for days, back in ((None, set()), (5.0, {"green-tea"}), (0.5, {"green-tea", "espresso"})):
        query = Query(User(user_id="u"), history, policy=Policy(repeat_after_days=days), now=now)
        assert {*_ids(retriever.retrieve(query, 6))} & {"green-tea", "espresso"} == back


def test_exploration_keeps_its_places_is_marked_and_follows_its_seed(tmp_path: Path) -> None:
    items = [Item(item_id=str(n), title=f"Film {n}") for n in range(60)]
    events = [Event(user_id=f"u{n}", item_id=str(n % 30), type="purchase") for n in range(300)]
    retriever = Retriever.build(items, events, FakeEncoder(), VectorCache(tmp_path / "v.sqlite"))

    def ask(seed: int) -> list[Candidate]:
        return retriever.retrieve(Query(User(user_id="u"), [_bought("1")], policy=Policy(explore=3, seed=seed)), 10)

    found = ask(1)
    assert [c.source == "explore" for c in found] == [False] * 7 + [True] * 3
    assert all(int(c.item.item_id) >= 30 for c in found[7:])
    assert _ids(ask(1)) == _ids(found) != _ids(ask(2))
    assert len({*_ids(found)}) == 10


def test_diversity_avoids_what_is_alike_and_a_discount_what_is_popular(retriever: Retriever) -> None:
    def kinds(policy: Policy) -> set[str]:
        query = Query(User(user_id="u"), [_bought("green-tea")], policy=policy)
        return {c.item.categories[0] for c in retriever.retrieve(query, 2)}

    assert kinds(Policy()) == {"tea"}
    assert kinds(Policy(diversity=0.9)) == {"tea", "coffee"}
    discounted = Query(User(user_id="u"), policy=Policy(popularity_discount=1))
    assert not {"green-tea", "espresso"} & {*_ids(retriever.retrieve(discounted, 4))}


def test_what_is_added_counts_at_once_and_what_is_removed_is_gone(retriever: Retriever) -> None:
    retriever.knowledge.add_items([Item(item_id="white-tea", title="White tea", categories=("tea",))])
    tea = Query(User(user_id="u"), [_bought("green-tea")])
    assert "white-tea" in _ids(retriever.retrieve(tea, 3))
    retriever.knowledge.add_events(
        [Event(user_id=f"new{n}", item_id=item_id, type="cart") for n in range(9) for item_id in ("green-tea", "mocha")]
    )
    best = retriever.retrieve(tea, 1)[0]
    assert best.item.item_id == "mocha"
    assert {"together", "after"} <= {part.signal for part in best.contributions if part.kind == "event"}
    retriever.knowledge.remove_items(["mocha"])
    assert "mocha" not in _ids(retriever.retrieve(Query(User(user_id="u"), [_bought("mocha")]), 9))
    with pytest.raises(KeyError):
        retriever.knowledge.remove_items(["mocha"])


def _ids(found: list[Candidate]) -> list[str]:
    return [candidate.item.item_id for candidate in found]


def test_only_new_texts_are_encoded(tmp_path: Path) -> None:
    cache, encoder = VectorCache(tmp_path / "vectors.sqlite"), CountingEncoder()
    first = cache.encode(encoder, ["tea", "coffee", "tea"])
    second = cache.encode(encoder, ["coffee", "cocoa"])
    assert encoder.texts == ["tea", "coffee", "cocoa"]
    assert np.array_equal(first[1], second[0])
    assert np.array_equal(first[0], first[2])


def test_an_event_without_a_time_was_just_now() -> None:
    history = [
        Event(user_id="u", item_id="a", type="view"),
        Event(user_id="u", item_id="b", type="view", timestamp=_DAY),
    ]
    later = _DAY + timedelta(days=3)
    assert seen(history, None, later) == {"a", "b"}
    assert seen(history, 2, later) == {"a"}
    assert seen(history, 0, later) == set()
