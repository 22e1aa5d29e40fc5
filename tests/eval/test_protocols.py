"""The protocols hide what they say they hide, and a leak is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from eval import candidates
from eval.protocols import LeakError, Split, check, last_items, leave_one_out, temporal
from genrec import Context, DataError, Event, Item, Store, User
from retrieval.fit import Case
from tests.eval.worlds import START, chains, circles, event, items, sequences


def _known(split: Split) -> set[tuple[str, str]]:
    return {(e.user_id, e.item_id) for e in split.training.everything}


def test_the_last_item_is_measured_and_the_one_before_it_tunes() -> None:
    split = leave_one_out(chains())
    case, tuning = split.test[0], split.training.validation[0]
    assert (case.target, tuning.target) == ("i5", "i4")
    assert [e.item_id for e in case.query.history] == ["i0", "i1", "i2", "i3", "i4"]
    assert [e.item_id for e in tuning.query.history] == ["i0", "i1", "i2", "i3"]
    assert not {(c.query.user.user_id, c.target) for c in split.test} & _known(split)
    earlier = {(e.user_id, e.item_id) for e in split.training.events}
    assert not {(c.query.user.user_id, c.target) for c in split.training.validation} & earlier
    assert {(c.query.user.user_id, c.target) for c in split.training.validation} <= _known(split)


def test_an_item_that_was_met_before_is_no_target() -> None:
    split = leave_one_out(sequences(*([[1, 2, 3, 1, 2]] * 60)))
    assert {case.target for case in split.test} == {"i3"}
    assert {case.target for case in split.training.validation} == {"i2"}


def test_users_with_little_are_known_and_not_measured() -> None:
    split = leave_one_out(sequences(*([[1, 2, 3]] * 60), [4, 5], [6]))
    assert len(split.test) == 60
    assert {("u60", "i5"), ("u61", "i6")} <= _known(split)


def test_a_temporal_split_knows_nothing_of_anybodys_future() -> None:
    events = [event(f"u{n}", (n + step) % 60, 30 * step + n % 30, n) for n in range(200) for step in range(8)]
    split = temporal(Store(items(60), [], events))
    latest = max(e.timestamp for e in split.training.everything if e.timestamp)
    assert all(case.query.context.time and case.query.context.time > latest for case in split.test)
    first = max(e.timestamp for e in split.training.events if e.timestamp)
    assert all(case.query.context.time and case.query.context.time > first for case in split.training.validation)


def test_a_temporal_split_needs_times() -> None:
    with pytest.raises(DataError, match="needs a timestamp on every event: use leave-one-out"):
        temporal(sequences(*([[1, 2, 3]] * 60)))


def test_the_last_item_of_a_candidate_file_may_be_an_old_one() -> None:
    split = last_items(sequences(*([[1, 2, 3, 1]] * 60)), ["u3", "u7"])
    assert [(case.query.user.user_id, case.target) for case in split.test] == [("u3", "i1"), ("u7", "i1")]
    assert split.training.validation[3].target == "i3"
    assert split.training.validation[0].target == "i3"


def test_too_few_users_are_said() -> None:
    with pytest.raises(DataError, match="1 users can tune and 1 be measured: 50 and 1 are needed"):
        leave_one_out(sequences([1, 2, 3]))


def test_a_known_target_is_a_leak() -> None:
    split = leave_one_out(chains())
    told = Event(user_id="u0", item_id=split.test[0].target, type="view")
    training = replace(split.training, later=[*split.training.later, told])
    with pytest.raises(LeakError, match="'u0': 6 events are known while 'i5' is measured"):
        check(replace(split, training=training))


def test_a_target_in_the_history_is_a_leak() -> None:
    split = leave_one_out(chains())
    case = split.test[0]
    with pytest.raises(LeakError, match="'u0': the hidden item 'i4' stands in the history"):
        check(replace(split, test=[replace(case, target="i4")]))


def test_an_event_from_the_future_is_a_leak() -> None:
    split = leave_one_out(chains())
    case = split.test[0]
    before = replace(case.query, context=Context.model_validate({"time": "2020-01-01T00:00Z"}))
    with pytest.raises(LeakError, match="the history holds events from after the moment"):
        check(replace(split, test=[replace(case, query=before)]))


def test_a_target_that_stands_in_an_attribute_is_a_leak() -> None:
    """The target visible to a signal: what users took last, written into their records."""
    store = chains()
    last = {user_id: store.history(user_id)[-1].item_id for user_id in store.user_ids}
    told = [User(user_id=user_id, attributes={"wishes": f"Item {item_id[1:]}"}) for user_id, item_id in last.items()]
    with pytest.raises(LeakError, match="requests hold their hidden item: 'wishes' of user 'u0' names 'i5'"):
        leave_one_out(Store(items(60), told, store.events))


def test_one_attribute_that_is_a_title_by_chance_is_none() -> None:
    store = chains()
    users = [
        User(user_id=user_id, attributes={"job": "Item 5" if user_id == "u0" else "none"}) for user_id in store.user_ids
    ]
    leave_one_out(Store(items(60), users, store.events))


def test_an_instruction_that_names_the_target_is_a_leak() -> None:
    split = leave_one_out(chains())
    titles = {item.item_id: item.title for item in split.training.items}
    told = [
        replace(case, query=replace(case.query, instruction=f"something like {titles[case.target]}"))
        for case in split.test
    ]
    with pytest.raises(LeakError, match="'instruction' of user 'u0' names 'i5'"):
        check(replace(split, test=told))


def _hidden(cases: Iterable[Case]) -> set[tuple[str, str]]:
    return {(case.query.user.user_id, case.target) for case in cases}


def _turned(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(item_id, user_id) for user_id, item_id in pairs}


@pytest.mark.parametrize("split_of", [leave_one_out, temporal, lambda store: last_items(store, store.user_ids[::2])])
def test_among_people_nothing_known_mirrors_what_is_hidden(split_of: Callable[[Store], Split]) -> None:
    split = split_of(circles())
    training, measured, tuned = split.training, _hidden(split.test), _hidden(split.training.validation)
    assert len(measured) > 50
    assert not _turned(measured) & _known(split)
    assert not _turned(measured) & tuned
    earlier = {(e.user_id, e.item_id) for e in training.events}
    assert not _turned(tuned) & earlier
    assert _turned(tuned) & _known(split_of(circles(people=False))) <= _known(split)
    assert all(case.query.filter.deny == {case.query.user.user_id} for case in [*split.test, *training.validation])
    for case in split.test:
        of_user = [e for e in training.everything if e.user_id == case.query.user.user_id]
        assert list(case.query.history) == of_user
        assert of_user == sorted(of_user, key=lambda e: e.timestamp or pytest.fail("no time"))


@pytest.mark.parametrize("split_of", [leave_one_out, temporal])
def test_elsewhere_equal_ids_say_nothing(split_of: Callable[[Store], Split]) -> None:
    """Film 7 is not user 7: what mirrors by its ids alone stays known."""
    split = split_of(circles(people=False))
    assert _turned(_hidden(split.test)) & _known(split)
    assert all(not case.query.filter.deny for case in split.test)


def test_who_is_known_by_mirrors_alone_is_not_measured() -> None:
    """All that ann did but the last is what two others did last."""
    follows = {"ann": ["p0", "p1", "p2"], "p0": ["ann"], "p1": ["ann"]}
    told = [Event(user_id=one, item_id=other, type="follow") for one, others in follows.items() for other in others]
    before = [event.model_copy(update={"timestamp": None}) for event in circles().events]
    split = leave_one_out(
        Store([*circles().items, Item(item_id="ann", title="Ann")], [], [*before, *told], people=True)
    )
    assert {("p0", "ann"), ("p1", "ann")} <= _hidden(split.test)
    assert "ann" not in {user_id for user_id, _ in _hidden([*split.test, *split.training.validation])}
    assert "ann" not in {event.user_id for event in split.training.everything}


def test_a_line_of_a_candidate_file_of_which_nothing_may_be_known_is_named(tmp_path: Path) -> None:
    pair = [Event(user_id="ann", item_id=other, type="follow") for other in ("p0", "p1")]
    told = [*circles().events, *pair, Event(user_id="p0", item_id="ann", type="follow", timestamp="2027-01-01")]
    store = Store([*circles().items, Item(item_id="ann", title="Ann")], [], told, people=True)
    path = tmp_path / "lists.tsv"
    path.write_text("user_id\titem_ids\np0\tann p9\nann\tp1 p5\n")
    with pytest.raises(DataError, match="'ann' did would give a hidden item away: take the line out"):
        candidates.questions(path, store, None)


def test_nobody_is_a_candidate_of_themself() -> None:
    split = leave_one_out(circles(count=6))
    pools = candidates.draw(split, split.test, 40, "uniform", seed=1)
    assert all(case.query.user.user_id not in pool for case, pool in zip(split.test, pools, strict=True))


def test_a_known_mirror_of_what_is_measured_is_a_leak() -> None:
    split = leave_one_out(circles())
    measured = _hidden(split.test)
    user_id, target = next((one, other) for one, other in sorted(measured) if (other, one) not in measured)
    told = Event(user_id=target, item_id=user_id, type="follow", timestamp=START)
    validation = [_told(case, told) for case in split.training.validation]
    training = replace(split.training, events=[told, *split.training.events], validation=validation)
    with pytest.raises(LeakError, match=f"'{user_id}': the hidden item '{target}' is given away by the event 'follow:"):
        check(replace(split, training=training, test=[_told(case, told) for case in split.test]))


def test_a_known_mirror_of_what_tunes_is_a_leak() -> None:
    split = leave_one_out(circles())
    both = _hidden(split.test) | _hidden(split.training.validation)
    tuned = sorted(_hidden(split.training.validation))
    user_id, target = next((one, other) for one, other in tuned if (other, one) not in both)
    told = Event(user_id=target, item_id=user_id, type="follow", timestamp=START)
    validation = [_told(case, told) for case in split.training.validation]
    later = [event for event in split.training.later if (event.user_id, event.item_id) != (target, user_id)]
    training = replace(split.training, events=[told, *split.training.events], later=later, validation=validation)
    test = [
        replace(case, query=replace(case.query, history=[e for e in training.everything if e.user_id == one]))
        for case in split.test
        for one in [case.query.user.user_id]
    ]
    with pytest.raises(LeakError, match=f"'{user_id}': the hidden item '{target}' is given away by the event 'follow:"):
        check(replace(split, training=training, test=test))


def _told(case: Case, event: Event) -> Case:
    """The case of somebody who is known to have done this too, first of all."""
    if case.query.user.user_id != event.user_id:
        return case
    return replace(case, query=replace(case.query, history=(event, *case.query.history)))


def test_to_tune_on_the_mirror_of_what_is_measured_is_a_leak() -> None:
    split = leave_one_out(circles())
    other_side = {case.target: case.query.user.user_id for case in split.test}
    told = [
        replace(case, target=other_side.get(case.query.user.user_id, case.target)) for case in split.training.validation
    ]
    with pytest.raises(LeakError, match="is given away by what tunes"):
        check(replace(split, training=replace(split.training, validation=told)))
