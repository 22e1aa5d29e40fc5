"""The protocols hide what they say they hide, and a leak is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.protocols import LeakError, Split, check, last_items, leave_one_out, temporal
from genrec import Context, DataError, Event, Store, User
from tests.eval.worlds import chains, event, items, sequences


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
