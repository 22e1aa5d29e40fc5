"""What is hidden from whom: leave-one-out and temporal splits, as pure functions of events.

A split has two parts that are handed to different hands. Methods get `Training`: what they may know, and the cases
that tune them. Only the harness holds the cases that are measured, and `check` refuses a split that gives one away.

Where items are people, that u follows v is as good as told by v following u: an event that mirrors a hidden one is not
known either, and nobody is recommended to themself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from genrec.errors import DataError
from genrec.store import Store
from retrieval import Event, Filter, Item, Query, User
from retrieval.cues import strength
from retrieval.fit import FEWEST_CASES, Case

_FEWEST_EVENTS = 2
_VALIDATION, _TEST = 0.8, 0.9
"""Shares of all events, in the order of time, before the validation part and before the test part."""

_Pair = tuple[str, str]
"""Who took what: a user and an item."""


class LeakError(DataError):
    """A method could know what it is asked about."""


@dataclass(frozen=True)
class Training:
    """What a method may see.

    It is tuned on `validation` knowing `events` alone; then it may know the `later` events too, which are those that
    validation hid. Nothing in here comes from what is measured. `people`: items are people, as in a store.
    """

    items: Sequence[Item]
    users: Mapping[str, User]
    events: Sequence[Event]
    validation: Sequence[Case]
    later: Sequence[Event]
    people: bool = False

    @cached_property
    def everything(self) -> Sequence[Event]:
        """What may be known when a method is measured, of each user oldest first."""
        known = [*self.events, *self.later]
        # Mirrors of what validation hid come back out of order.
        return Store(self.items, (), known).events if self.people else known


@dataclass(frozen=True)
class Split:
    """`training` for the methods, `test` for the harness: one hidden item for each user.

    `repeats`: it may be an item that the user had met before.
    """

    protocol: str
    training: Training
    test: Sequence[Case]
    repeats: bool = False


def leave_one_out(store: Store) -> Split:
    """The last item of each user's sequence is measured, the one before it tunes, what comes before is known.

    An item that the user had met before cannot be asked for: the last *new* item is the target (Kang and McAuley,
    Self-Attentive Sequential Recommendation, ICDM 2018, on sequences without repeats). Users with fewer than two
    new items after the first are known, and not measured.

    Raises:
        DataError: fewer than 50 users are left.
    """
    events: list[Event] = []
    later: list[Event] = []
    validation: list[Case] = []
    test: list[Case] = []
    for user_id in store.user_ids:
        history = store.history(user_id)
        last = _last_new(history)
        before = _last_new(history[:last]) if last else None
        if last is None or before is None:
            events += history
            continue
        events += history[:before]
        later += history[before:last]
        validation.append(_case(store, history[:before], history[before]))
        test.append(_case(store, history[:last], history[last]))
    return _split("leave-one-out", store, events, validation, later, test)


def temporal(store: Store) -> Split:
    """All that happened before a moment is known; each user's first new item after it is measured.

    The moments are the same for everybody, so nothing from the future of anybody is known (Ji et al., A Critical Study
    on Data Leakage in Recommender System Offline Evaluation, TOIS 2023): 80% of all events come before validation,
    90% before the test.

    Raises:
        DataError: an event without a time, or fewer than 50 users with a history before the moment.
    """
    times = [event.timestamp for event in store.events]
    known = sorted(time for time in times if time)
    if len(known) < len(times) or not known:
        raise DataError("a temporal split needs a timestamp on every event: use leave-one-out")
    first, second = (known[int(share * len(known))] for share in (_VALIDATION, _TEST))
    events = [event for event in store.events if _time(event) < first]
    later = [event for event in store.events if first <= _time(event) < second]
    validation = list(_first_after(store, first, second))
    return _split("temporal", store, events, validation, later, list(_first_after(store, second, None)))


def last_items(store: Store, user_ids: Collection[str]) -> Split:
    """The last item of the sequence of each of these users, new to them or not: for candidate files.

    What tunes is the last new item of what came before, of everybody.

    Raises:
        DataError: fewer than 50 users can tune, or one of the given users has no sequence of two events.
    """
    asked = frozenset(user_ids)
    events: list[Event] = []
    later: list[Event] = []
    validation: list[Case] = []
    test: list[Case] = []
    for user_id in store.user_ids:
        history = store.history(user_id)
        if user_id in asked:
            if len(history) < _FEWEST_EVENTS:
                raise DataError(f"user {user_id!r} has {len(history)} events: one to know and one to hide are needed")
            test.append(_case(store, history[:-1], history[-1]))
            history = history[:-1]
        before = _last_new(history)
        events += history if before is None else history[:before]
        if before is not None:
            later += history[before:]
            validation.append(_case(store, history[:before], history[before]))
    return _split("last-item", store, events, validation, later, test, repeats=True)


def without_mirrors(split: Split) -> Split:
    """The split of people without what gives a hidden event away from the other side.

    What mirrors a measured event is known to nobody; what mirrors one that tunes is among the `later` events. The
    history of a case is what is left of it. Cases without any are dropped, and those that tune on the mirror of what
    is measured.
    """
    training = split.training
    measured, tuned = _hidden(split.test), _hidden(training.validation)
    events = [event for event in training.events if _mirror(event) not in measured | tuned]
    back = [event for event in training.events if _mirror(event) in tuned]
    later = [event for event in [*training.later, *back] if _mirror(event) not in measured]
    validation = [case for case in training.validation if _mirrored(case) not in measured]
    known = replace(training, events=events, later=later)
    return replace(
        split,
        training=replace(known, validation=_knowing(validation, training.items, events)),
        test=_knowing(split.test, training.items, known.everything),
    )


def check(split: Split) -> None:
    """Refuse a split in which a method could see what it is asked about.

    Looked at are events that are known, where items are people also from the other side, histories and their times,
    and every text that a request carries.

    Raises:
        LeakError: with the user, the item and where it stands.
    """
    training = split.training
    _check(split.test, training.everything, "measured", repeats=split.repeats)
    _check(training.validation, training.events, "tuned on", repeats=False)
    if training.people:
        _check_mirrors(split)
    titles = {item.item_id: item.title for item in training.items}
    for cases in (split.test, training.validation):
        told = [(case, field) for case in cases if (field := _telling(case.query, {case.target, titles[case.target]}))]
        if len(told) > max(_BY_CHANCE * len(cases), 1):
            case, field = told[0]
            raise LeakError(
                f"{len(told)} of {len(cases)} requests hold their hidden item: {field!r} of user "
                f"{case.query.user.user_id!r} names {case.target!r}"
            )


_BY_CHANCE = 0.02
"""Share of requests that may name their hidden item: a student may like a film called Student."""
_SHORTEST = 4
"""A shorter id or title can stand in any text."""


def _telling(query: Query, names: set[str]) -> str | None:
    """The field of a request in which one of these names stands."""
    said = {name: str(value) for name, value in query.user.attributes.items()}
    said |= {**query.context.fields(), "instruction": query.instruction}
    wanted = [name.casefold() for name in names if len(name) >= _SHORTEST]
    return next((field for field, text in said.items() if any(name in text.casefold() for name in wanted)), None)


def _check(cases: Sequence[Case], known: Sequence[Event], use: str, *, repeats: bool) -> None:
    """Of a user with a case exactly the history of the case may be known."""
    of_user: dict[str, list[Event]] = {case.query.user.user_id: [] for case in cases}
    for event in known:
        if event.user_id in of_user:
            of_user[event.user_id].append(event)
    for case in cases:
        user_id, history = case.query.user.user_id, list(case.query.history)
        if of_user[user_id] != history:
            raise LeakError(
                f"user {user_id!r}: {len(of_user[user_id])} events are known while {case.target!r} is {use}, and the "
                f"history before it has {len(history)}"
            )
        if not repeats and case.target in {event.item_id for event in history}:
            raise LeakError(f"user {user_id!r}: the hidden item {case.target!r} stands in the history")
        asked = case.query.context.time
        if asked and any(event.timestamp and event.timestamp > asked for event in history):
            raise LeakError(f"user {user_id!r}: the history holds events from after the moment of the request")


def _check_mirrors(split: Split) -> None:
    """Nothing that is known or tunes is the other side of what is hidden."""
    training, measured = split.training, _hidden(split.test)
    for known, hidden in ((training.everything, measured), (training.events, _hidden(training.validation))):
        if told := next((event for event in known if _mirror(event) in hidden), None):
            raise LeakError(
                f"user {told.item_id!r}: the hidden item {told.user_id!r} is given away by the event "
                f"{told.ref!r} of that user"
            )
    if told_by := next((case for case in training.validation if _mirrored(case) in measured), None):
        raise LeakError(
            f"user {told_by.target!r}: the hidden item {told_by.query.user.user_id!r} is given away by what tunes"
        )


def _hidden(cases: Sequence[Case]) -> set[_Pair]:
    return {(case.query.user.user_id, case.target) for case in cases}


def _mirror(event: Event) -> _Pair:
    """The same from the other side."""
    return event.item_id, event.user_id


def _mirrored(case: Case) -> _Pair:
    return case.target, case.query.user.user_id


def _knowing(cases: Sequence[Case], items: Sequence[Item], events: Sequence[Event]) -> list[Case]:
    """The cases with what is known of their users as the history, where anything is."""
    known = Store(items, (), events)
    return [
        replace(case, query=replace(case.query, history=history))
        for case in cases
        if (history := known.history(case.query.user.user_id))
    ]


def _split(
    protocol: str,
    store: Store,
    events: Sequence[Event],
    validation: Sequence[Case],
    later: Sequence[Event],
    test: Sequence[Case],
    *,
    repeats: bool = False,
) -> Split:
    users = {user_id: store.user(user_id) for user_id in store.user_ids}
    split = Split(protocol, Training(store.items, users, events, validation, later, store.people), test, repeats)
    if store.people:
        split = without_mirrors(split)
    tuning, measured = len(split.training.validation), len(split.test)
    if tuning < FEWEST_CASES or not measured:
        raise DataError(
            f"{protocol}: {tuning} users can tune and {measured} be measured: {FEWEST_CASES} and 1 are needed"
        )
    check(split)
    return split


def _last_new(history: Sequence[Event]) -> int | None:
    """The place of the last event with an item that the user had not met before, with something before it."""
    for place in range(len(history) - 1, 0, -1):
        if history[place].item_id not in {event.item_id for event in history[:place]}:
            return place
    return None


def _case(store: Store, before: Sequence[Event], hidden: Event) -> Case:
    """A request at the moment of the hidden event."""
    themself = Filter(deny=frozenset({hidden.user_id})) if store.people else Filter()
    query = Query(store.user(hidden.user_id), before, hidden.moment, filter=themself)
    return Case(query, hidden.item_id, strength(hidden) >= 0)


def _first_after(store: Store, start: datetime, end: datetime | None) -> Iterator[Case]:
    for user_id in store.user_ids:
        history = store.history(user_id)
        before = [event for event in history if _time(event) < start]
        met = {event.item_id for event in before}
        after = (e for e in history[len(before) :] if e.item_id not in met and (end is None or _time(e) < end))
        if before and (hidden := next(after, None)):
            yield _case(store, before, hidden)


def _time(event: Event) -> datetime:
    if event.timestamp is None:
        raise DataError(f"an event of user {event.user_id!r} has no timestamp")
    return event.timestamp
