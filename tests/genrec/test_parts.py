"""What is held out to fit to, and what people are never shown."""

from __future__ import annotations

from genrec import Config, Event, Item, Recommender, Store
from genrec.parts import hold_out
from genrec.testing import FakeEncoder, ScriptedEngine

_PEOPLE = 120


def _circle(*, people: bool) -> Store:
    """Everybody follows the two on either side, so that each friendship is there from both sides."""
    items = [Item(item_id=f"p{n}", title=f"Person {n}") for n in range(_PEOPLE)]
    events = [
        Event(user_id=f"p{n}", item_id=f"p{(n + step) % _PEOPLE}", type="follow")
        for n in range(_PEOPLE)
        for step in (-2, -1, 1, 2)
    ]
    return Store(items, (), events, people=people)


def test_a_held_out_friendship_is_not_known_from_its_other_side() -> None:
    known, cases = hold_out(_circle(people=True))
    hidden = {(case.query.user.user_id, case.target) for case in cases}
    told = {(event.user_id, event.item_id) for event in known.events}
    assert len(cases) == _PEOPLE
    assert not told & (hidden | {(item_id, user_id) for user_id, item_id in hidden})
    assert all(case.query.filter.deny == {case.query.user.user_id} for case in cases)
    assert all(list(case.query.history) == list(known.history(case.query.user.user_id)) for case in cases)


def test_equal_ids_say_nothing_where_items_are_no_people() -> None:
    known, cases = hold_out(_circle(people=False))
    assert len(known.events) == 3 * _PEOPLE
    assert not any(case.query.filter.deny for case in cases)


def test_nobody_is_recommended_to_themself(own_cache: object) -> None:
    people = [Item(item_id=name, title=name.title()) for name in ("ann", "bob", "cy")]
    store = Store(people, (), [Event(user_id=one, item_id="cy", type="follow") for one in ("ann", "bob")], people=True)
    found = Recommender.from_store(
        store, engine=ScriptedEngine(), encoder=FakeEncoder(), config=Config(model_weight=1.0)
    )
    assert [item.item_id for item in found.recommend("ann", 2).items] == ["bob"]
    assert [item.item_id for item in found.recommend("bob", 2).items] == ["ann"]
