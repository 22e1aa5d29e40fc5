"""Items and users of a tenant, one by one, page by page, or everything that is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Table, delete, update

from genrec.errors import DataError, NotFound
from genrec.store.database.records import Changes, Mark, Snapshot
from genrec.store.database.rows import check_id, decode, encode, upsert
from genrec.store.database.schema import events, items, users
from genrec.store.database.turn import Turn, View
from genrec.store.database.withholding import usable
from retrieval.guards import Cause, Released
from retrieval.types import Event, Item, User

_R = TypeVar("_R", Item, User)
_K = TypeVar("_K", Item, Event)
_TABLES: dict[type, Table] = {Item: items, User: users, Event: events}
_IDS = {Item: "item_id", User: "user_id"}
_NAMES = {Item: "item", User: "user"}


def put(turn: Turn, kind: type[_R], records: Sequence[_R]) -> None:
    """Add records, or replace those with the same ids. Raises DataError for an id that is given twice."""
    field, table = _IDS[kind], _TABLES[kind]
    rows = {}
    for record in records:
        key: str = getattr(record, field)
        if key in rows:
            raise DataError(f"{field} {key!r} is there twice: ids are unique, keep one of the two")
        check_id(field, key)
        body = encode(f"{_NAMES[kind]} {key!r}", record)
        rows[key] = {"tenant": turn.tenant, field: key, "seq": turn.next(), "body": body}
    upsert(turn.connection, table, list(rows.values()))


def one(view: View, kind: type[_R], key: str) -> _R:
    """The record of an id. Raises NotFound."""
    table = _TABLES[kind]
    row = view.first(view.of(table, "body").where(table.c[_IDS[kind]] == key))
    if row is None:
        raise NotFound(f"no {_NAMES[kind]} {key!r}: add it first, or correct the id")
    return decode(kind, row.body)


def page(view: View, kind: type[_R], after: str, limit: int) -> list[_R]:
    """Records in the order of their ids, those after one."""
    table = _TABLES[kind]
    key = table.c[_IDS[kind]]
    return [
        decode(kind, row.body) for row in view.all(view.of(table, "body").where(key > after).order_by(key).limit(limit))
    ]


def remove_item(turn: Turn, item_id: str) -> tuple[int, int]:
    """Remove an item and its events: how many items and events were there."""
    gone = [
        turn.connection.execute(delete(table).where(table.c.tenant == turn.tenant, table.c.item_id == item_id)).rowcount
        for table in (events, items)
    ]
    turn.epoch += 1
    return gone[1], gone[0]


def snapshot(view: View) -> Snapshot:
    """Everything that may be used, in the order in which it was last written."""
    everything = (_since(view, Item, 0), _users_since(view, 0), _since(view, Event, 0))
    return Snapshot(*everything, _released(view), view.mark())


def changes(view: View, since: Mark) -> Changes:
    """What was written since a mark: one query where that is nothing."""
    mark = view.mark()
    stale = mark.epoch != since.epoch or mark.seq < since.seq
    if stale or mark.seq == since.seq:
        return Changes((), (), (), mark, stale)
    fresh = (_since(view, Item, since.seq), _users_since(view, since.seq), _since(view, Event, since.seq))
    return Changes(*fresh, mark, stale=False)


def release(turn: Turn, kind: type[_R], key: str) -> None:
    """Let bursts of a user, or of takes of an item, count. Raises NotFound."""
    one(turn, kind, key)
    table = _TABLES[kind]
    own = (table.c.tenant == turn.tenant, table.c[_IDS[kind]] == key)
    turn.connection.execute(update(table).where(*own).values(released=True))
    turn.epoch += 1  # what was held is counted in its place: all is read anew


def _released(view: View) -> Released:
    sides: tuple[tuple[Cause, Table, str], ...] = (("item", items, "item_id"), ("user", users, "user_id"))
    return frozenset(
        (cause, row[0]) for cause, table, key in sides for row in view.all(view.of(table, key).where(table.c.released))
    )


def _since(view: View, kind: type[_K], seq: int) -> tuple[_K, ...]:
    table = _TABLES[kind]
    found = view.each(view.of(table, "body").where(table.c.seq > seq).order_by(table.c.seq))
    return tuple(decode(kind, row.body) for row in found)


def _users_since(view: View, seq: int) -> tuple[User, ...]:
    """Users as they may be used."""
    found = view.each(view.of(users, "body", "withheld").where(users.c.seq > seq).order_by(users.c.seq))
    return tuple(usable(decode(User, row.body), row.withheld) for row in found)
