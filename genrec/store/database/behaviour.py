"""Events of a tenant: each is kept once, however often it is sent."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Table, Text, cast, delete, func, insert, literal, select

from genrec.errors import Conflict, DataError, NotFound
from genrec.store.database.records import Stored
from genrec.store.database.rows import check_id, decode, encode, moment, now, same
from genrec.store.database.schema import events, items, recommendations, users
from genrec.store.database.turn import Turn, View
from retrieval.types import Event, User

Row = dict[str, Any]


def add(turn: Turn, given: Sequence[Event], recommendation_id: str | None) -> list[Stored | DataError]:
    """Keep the events that are good, and say of each what became of it, in their order.

    Two events with one id say the same when all their fields and `recommendation_id` are equal, times with their
    zone, whatever the order of the fields of a context.
    """
    named = [event if event.event_id else event.model_copy(update={"event_id": uuid.uuid4().hex}) for event in given]
    known = _Known(turn, named, recommendation_id)
    fresh: list[Row] = []
    outcomes: list[Stored | DataError] = []
    for event in named:
        try:
            row = _row(turn, event, recommendation_id)
            if not (repeated := known.has(event, row)):
                fresh.append({**row, "seq": turn.next()})
            outcomes.append(Stored(event, repeated))
        except DataError as error:
            outcomes.append(error)
    _make_users(turn, {row["user_id"]: None for row in fresh}, known.users)
    if fresh:
        turn.connection.execute(insert(events), fresh)
    return outcomes


def history(view: View, user_id: str, limit: int) -> list[Event]:
    """A user's events, newest first."""
    mine = view.of(events, "body").where(events.c.user_id == user_id)
    found = view.all(mine.order_by(events.c.moment.desc(), events.c.seq.desc()).limit(limit))
    return [decode(Event, row.body) for row in found]


def remove(turn: Turn, event_id: str) -> None:
    """Forget an event. Raises NotFound."""
    own = (events.c.tenant == turn.tenant, events.c.event_id == event_id)
    if not turn.connection.execute(delete(events).where(*own)).rowcount:
        raise NotFound(f"no event {event_id!r}: it was never there, or is forgotten already")
    turn.epoch += 1


class _Known:
    """What is there of all that a call names."""

    def __init__(self, turn: Turn, given: Sequence[Event], recommendation_id: str | None) -> None:
        self.users = set(_found(turn, users, "user_id", {event.user_id for event in given}))
        self._items = set(_found(turn, items, "item_id", {event.item_id for event in given}))
        bodies = _found(turn, events, "event_id", {event.event_id or "" for event in given}, "body")
        sources = _found(turn, events, "event_id", set(bodies), "recommendation_id")
        self._sent = {event_id: (body, sources.get(event_id)) for event_id, body in bodies.items()}
        wanted = set() if recommendation_id is None else {recommendation_id}
        self._missing = wanted - set(_found(turn, recommendations, "recommendation_id", wanted))

    def has(self, event: Event, row: Row) -> bool:
        """Whether an event is there, from now on it is.

        Raises:
            Conflict: its id stands for another. NotFound: its item or its recommendation is not there.
        """
        now, before = (row["body"], row["recommendation_id"]), self._sent.get(row["event_id"])
        if before is not None:
            if not (same(before[0], now[0]) and before[1] == now[1]):
                raise Conflict(f"event {event.event_id!r} is there and says something else: give it another event_id")
            return True
        if event.item_id not in self._items:
            raise NotFound(
                f"an event of user {event.user_id!r} names item {event.item_id!r}, "
                "which is not in the catalogue: add the item or drop the event"
            )
        for missing in self._missing:
            raise NotFound(f"no recommendation {missing!r}: leave it out, or correct the id")
        self._sent[row["event_id"]] = now
        return False


def _found(turn: Turn, table: Table, key: str, wanted: set[str], column: str | None = None) -> dict[str, str]:
    """What a column (by default the key) holds in the rows of some ids.

    Each id is looked up by itself, in one statement: PostgreSQL has no statistics of ids, which would be copies of
    them, so for a list of ids it would read the whole table.
    """
    valid = json.dumps([value for value in wanted if "\0" not in value])
    if turn.connection.dialect.name == "sqlite":
        ids = func.json_each(valid).table_valued("value")
    else:
        ids = func.json_array_elements_text(cast(literal(valid, Text), JSON)).table_valued("value")
    value = turn.of(table, column or key).where(table.c[key] == ids.c.value).scalar_subquery()
    rows = turn.all(select(ids.c.value, value.label("held"))) if wanted else []
    return {row.value: row.held for row in rows if row.held is not None}


def _row(turn: Turn, event: Event, recommendation_id: str | None) -> Row:
    """All but the number. Raises DataError for what cannot be kept."""
    ids = {"event_id": event.event_id or "", "user_id": event.user_id, "item_id": event.item_id}
    for field, value in ids.items():
        check_id(field, value)
    return {
        **ids,
        "tenant": turn.tenant,
        "moment": moment(event),
        "recommendation_id": recommendation_id,
        "body": encode(f"event {event.event_id!r}", event),
        "received_at": now(),
    }


def _make_users(turn: Turn, wanted: dict[str, None], known: set[str]) -> None:
    """A user is there from the first event on, so that what is held on them can be found."""
    fresh = [
        {"tenant": turn.tenant, "user_id": user_id, "seq": turn.next(), "body": encode(user_id, User(user_id=user_id))}
        for user_id in wanted
        if user_id not in known
    ]
    if fresh:
        turn.connection.execute(insert(users), fresh)
