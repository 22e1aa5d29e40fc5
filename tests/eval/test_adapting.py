"""Planted users and users with weights of their own, in worlds where it is known what should come out."""

from __future__ import annotations

import random
from datetime import timedelta

import numpy as np
import pytest

from eval.online import Personal, Step, _factors
from eval.poison import ATTACKS, Crowd, Plot, Target
from genrec import DataError, Event, Item, Store, User
from genrec.testing import FakeEncoder
from retrieval import Weights
from retrieval.cache import NoCache
from retrieval.guards import Guards
from tests.eval import worlds

_TARGET = "i99"
_NEW_DAY = worlds.START + timedelta(days=100)


def _raters() -> Store:
    """Sixty users who rate twelve of the first eighty items each, one user a day."""
    draw = random.Random(0)
    items = [Item(item_id=f"i{n}", title=f"Item {n}") for n in range(100)]
    events = [
        Event(
            user_id=f"u{user}",
            item_id=f"i{item}",
            type="rate",
            value=draw.randint(1, 5),
            timestamp=worlds.START + timedelta(days=user, minutes=step),
        )
        for user in range(60)
        for step, item in enumerate(draw.sample(range(80), 12))
    ]
    return Store(items, [User(user_id=f"u{n}") for n in range(60)], events)


@pytest.mark.parametrize("attack", ATTACKS)
def test_planted_users_praise_the_target_among_what_others_rate(attack: str) -> None:
    store = _raters()
    users, events = Plot(attack, _TARGET, 0.1, 0).events(store, Crowd.of(store.events), _NEW_DAY)
    assert len(users) == 6
    praised = [event for event in events if event.item_id == _TARGET]
    assert [event.value for event in praised] == [5] * 6
    assert len({event.user_id for event in praised}) == 6
    assert len({(event.user_id, event.item_id) for event in events}) == len(events)
    assert {event.item_id for event in events} - {_TARGET} <= {event.item_id for event in store.events}


def test_an_attack_counts_without_guards_little_with_them_and_leaves_no_trace() -> None:
    store = _raters()
    users, events = Plot("random", _TARGET, 0.5, 0).events(store, Crowd.of(store.events), _NEW_DAY)
    takers = {}
    for name, guards in (("open", None), ("guarded", Guards(item_fewest=5))):
        target = Target(store, FakeEncoder(), NoCache(), Weights(), guards)
        takers[name] = target.attacked(users, events).knowledge.takers(_TARGET)
        assert target.retriever.knowledge.takers(_TARGET) == 0
    assert takers == {"open": 30, "guarded": 5}


def test_attacks_need_ratings() -> None:
    with pytest.raises(DataError, match="events of type rate"):
        Crowd.of(worlds.chains().events)


def test_a_signal_that_speaks_for_what_is_taken_counts_more_and_no_list_turns_everything_over() -> None:
    shown = np.array([[0.2, 0.0, 0.0], [0.0, 0.2, 0.1]], np.float32)
    personal = Personal(2, sd=0.3, sharpness=10)
    personal.learn(shown, [0])
    assert 1 < personal.factors[0] < 1.3
    assert 0.7 < personal.factors[1] < 1
    for _ in range(500):
        personal.learn(shown, [0])
    assert 0.5 <= personal.factors.min() < personal.factors.max() <= 2


def test_without_a_take_nothing_is_learnt() -> None:
    personal = Personal(2, sd=0.3, sharpness=10)
    personal.learn(np.eye(2, dtype=np.float32), [])
    assert personal.factors.tolist() == [1, 1]


def test_a_list_is_not_learnt_from_before_its_takes_are_over() -> None:
    draw = np.random.default_rng(0)
    steps = [Step(draw.random((3, 12)).astype(np.float32), 0, frozenset({0, 1})) for _ in range(12)]
    others = [Step(step.parts, step.target, frozenset()) if n >= 4 else step for n, step in enumerate(steps)]
    before, after = _factors(steps, 0.3, 10), _factors(others, 0.3, 10)
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True] * 9 + [False] * 3
    assert not np.array_equal(before[8], before[4])
