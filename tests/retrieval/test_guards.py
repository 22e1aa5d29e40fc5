"""What one user, or many at once, can add to what others see: counts with the guards against counts without."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrec.testing import FakeEncoder
from retrieval import Event, Item, Query, Retriever, User
from retrieval.cache import NoCache
from retrieval.guards import Guards, Quarantine, Released

_DAY = datetime(2026, 11, 1, tzinfo=UTC)
_ITEMS = [Item(item_id=f"i{number}", title=f"Item {number}") for number in range(40)]
_HONEST = [
    Event(user_id=f"u{user}", item_id=f"i{(user + step) % 10}", type="click", timestamp=_DAY + timedelta(days=user))
    for user in range(20)
    for step in range(3)
]


def _retriever(events: Sequence[Event], guards: Guards | None, released: Released = frozenset()) -> Retriever:
    quarantine = Quarantine(guards, released) if guards else None
    return Retriever.build(_ITEMS, events, FakeEncoder(), NoCache(), quarantine=quarantine)


def _takers(retriever: Retriever) -> list[int]:
    return [retriever.knowledge.takers(item.item_id) for item in _ITEMS]


def _planted(users: int, item_id: str = "i30", day: int = 20) -> list[Event]:
    moment = _DAY + timedelta(days=day)
    return [Event(user_id=f"planted{n}", item_id=item_id, type="click", timestamp=moment) for n in range(users)]


def _hasty(takes: int, day: int = 20) -> list[Event]:
    start = _DAY + timedelta(days=day)
    return [
        Event(user_id="hasty", item_id=f"i{n}", type="click", timestamp=start + timedelta(seconds=n))
        for n in range(takes)
    ]


def test_what_honest_users_do_counts_as_without_guards() -> None:
    assert _takers(_retriever(_HONEST, Guards())) == _takers(_retriever(_HONEST, None))


def test_many_who_take_one_item_in_a_day_count_as_few() -> None:
    events = [*_HONEST, *_planted(30)]
    assert _retriever(events, None).knowledge.takers("i30") == 30
    assert _retriever(events, Guards(item_fewest=5)).knowledge.takers("i30") == 5


def test_an_item_that_many_took_before_may_be_taken_by_as_many_again() -> None:
    events = [*_HONEST, *_planted(30, "i3")]
    before = _retriever(_HONEST, None).knowledge.takers("i3")
    assert before == 6
    assert _retriever(events, Guards(item_fewest=1, item_share=0)).knowledge.takers("i3") == 2 * before


def test_a_user_in_haste_counts_for_themself_alone() -> None:
    guards = Guards(user_fewest=10)
    retriever = _retriever([*_HONEST, *_hasty(40)], guards)
    held = retriever.knowledge.quarantine.held if retriever.knowledge.quarantine else ()
    assert {(one.event.user_id, one.cause) for one in held} == {("hasty", "user")}
    limit = 40 - len(held)
    assert limit == 15  # five times the three that others take
    assert retriever.knowledge.takers("i39") == 0
    found = retriever.retrieve(Query(User(user_id="hasty"), _hasty(40)), 40)
    assert not {candidate.item.item_id for candidate in found} & {f"i{n}" for n in range(40)}  # all were met


def test_beyond_the_cap_of_a_user_nothing_counts_whenever_it_was() -> None:
    slowly = [
        Event(user_id="busy", item_id=f"i{n}", type="click", timestamp=_DAY + timedelta(days=n)) for n in range(40)
    ]
    retriever = _retriever(slowly, Guards(takes_of_user=7))
    assert sum(_takers(retriever)) == 7
    timeless = [Event(user_id="busy", item_id=f"i{n}", type="click") for n in range(40)]
    assert sum(_takers(_retriever(timeless, Guards(takes_of_user=7)))) == 7


def test_what_is_held_counts_when_it_is_old_or_released() -> None:
    attack, guards = [*_HONEST, *_planted(30)], Guards(item_fewest=5, hold_days=7)
    later = Event(user_id="u0", item_id="i20", type="click", timestamp=_DAY + timedelta(days=27))
    sooner = later.model_copy(update={"timestamp": later.timestamp and later.timestamp - timedelta(seconds=1)})
    assert _retriever([*attack, sooner], guards).knowledge.takers("i30") == 5
    assert _retriever([*attack, later], guards).knowledge.takers("i30") == 30
    assert _retriever(attack, guards, frozenset({("item", "i30")})).knowledge.takers("i30") == 30
    assert _retriever(attack, guards, frozenset({("item", "i31"), ("user", "i30")})).knowledge.takers("i30") == 5


def test_the_same_take_again_is_neither_held_nor_counted_twice() -> None:
    guards = Guards(item_fewest=5)
    retriever = _retriever([*_HONEST, *_planted(30)], guards)
    retriever.knowledge.add_events(_planted(30))
    assert retriever.knowledge.quarantine is not None
    assert len(retriever.knowledge.quarantine.held) == 25
    assert retriever.knowledge.takers("i30") == 5


def test_a_held_take_of_an_item_that_is_gone_counts_nowhere() -> None:
    retriever = _retriever([*_HONEST, *_planted(30)], Guards(item_fewest=5))
    retriever.knowledge.remove_items(["i30"])
    late = Event(user_id="u0", item_id="i20", type="click", timestamp=_DAY + timedelta(days=60))
    retriever.knowledge.add_events([late])
    assert retriever.knowledge.takers("i20") == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 5)), max_size=60))
def test_guards_never_add_and_take_nothing_that_they_do_not_hold(takes: list[tuple[int, int, int]]) -> None:
    events = [
        Event(user_id=f"u{user}", item_id=f"i{item}", type="click", timestamp=_DAY + timedelta(days=day))
        for user, item, day in takes
    ]
    free = _retriever(events, None)
    guarded = _retriever(events, Guards(user_fewest=2, user_factor=1, item_fewest=1, item_share=0))
    lost = np.array(_takers(free)) - np.array(_takers(guarded))
    held = [one.event.item_id for one in guarded.knowledge.quarantine.held] if guarded.knowledge.quarantine else []
    assert lost.tolist() == [held.count(item.item_id) for item in _ITEMS]
