"""Everything that is held on one user: given to them, or gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete, or_, update

from genrec.errors import NotFound
from genrec.store.database.catalogue import remove_item
from genrec.store.database.records import Erased
from genrec.store.database.rows import chunks, decode_mapping
from genrec.store.database.schema import events, feedback, items, recommendations, users
from genrec.store.database.turn import Turn, View

HELD_ON = (feedback, recommendations, events, users, items)
"""The tables that hold something on users; items where they are people."""


def export(view: View, user_id: str, *, people: bool) -> dict[str, Any]:
    """All rows of a user by table, ready for JSON; where items are people, also those of the item. Raises NotFound."""
    lists = [row.recommendation_id for row in view.all(_lists_of(view, user_id))]
    found = {
        "users": _dump(view, users, users.c.user_id == user_id),
        "items": _dump(view, items, items.c.item_id == user_id) if people else [],
        "events": _dump(view, events, _events_on(user_id, people=people)),
        "recommendations": _dump(view, recommendations, recommendations.c.user_id == user_id),
        "feedback": [
            row for some in chunks(lists) for row in _dump(view, feedback, feedback.c.recommendation_id.in_(some))
        ],
    }
    if not any(found.values()):
        raise NotFound(f"nothing is held on user {user_id!r}: they were erased, or the id is another")
    return found


def erase(turn: Turn, user_id: str, *, people: bool) -> Erased:
    """Remove all rows of a user; where items are people, also the item, and each recommendation that mentions it."""
    lists = [row.recommendation_id for row in turn.all(_lists_of(turn, user_id))]
    if people:
        lists = list({*lists, *_mentioning(turn, user_id)})
    judged = _remove(turn, feedback.c.recommendation_id, lists)
    _forget_source(turn, lists)
    given = _remove(turn, recommendations.c.recommendation_id, lists)
    done = _remove(turn, events.c.user_id, [user_id])
    shown, done_to_them = remove_item(turn, user_id) if people else (0, 0)
    known = _remove(turn, users.c.user_id, [user_id])
    turn.epoch += 1
    return Erased(known, shown, done + done_to_them, given, judged)


def _dump(view: View, table: Table, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Rows as they are, their JSON read."""
    columns = [column.name for column in table.c if column.name not in {"tenant", "seq", "moment"}]
    nested = {"body", "request"}
    return [
        {name: decode_mapping(value) if name in nested else value for name, value in row._mapping.items()}
        for row in view.all(view.of(table, *columns).where(which).order_by(*table.primary_key))
    ]


def _lists_of(view: View, user_id: str) -> Any:
    return view.of(recommendations, "recommendation_id").where(recommendations.c.user_id == user_id)


def _events_on(user_id: str, *, people: bool) -> ColumnElement[bool]:
    mine = events.c.user_id == user_id
    return or_(mine, events.c.item_id == user_id) if people else mine


def _mentioning(turn: Turn, person: str) -> Iterator[str]:
    """Recommendations of anybody that show or cite a person: by id, by title, or by an event that they are part of."""
    titles = [
        decode_mapping(row.body)["title"] for row in turn.all(turn.of(items, "body").where(items.c.item_id == person))
    ]
    shared = turn.of(events, "event_id").where(_events_on(person, people=True))
    ids = {person, *(row.event_id for row in turn.all(shared))}
    for row in turn.each(turn.of(recommendations, "recommendation_id", "body", "request")):
        texts = [*_texts(decode_mapping(row.body)), *_texts(decode_mapping(row.request))]
        if not ids.isdisjoint(texts) or any(title in text for title in titles for text in texts):
            yield row.recommendation_id


def _texts(value: object) -> Iterator[str]:
    """Every text in JSON, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _forget_source(turn: Turn, lists: Sequence[str]) -> None:
    """What others did with a list that is gone stays, without its id."""
    for some in chunks(lists):
        own = (events.c.tenant == turn.tenant, events.c.recommendation_id.in_(some))
        turn.connection.execute(update(events).where(*own).values(recommendation_id=None))


def _remove(turn: Turn, column: Column[Any], values: Sequence[str]) -> int:
    """How many rows that hold one of some values are gone now."""
    table = column.table
    return sum(
        turn.connection.execute(delete(table).where(table.c.tenant == turn.tenant, column.in_(some))).rowcount
        for some in chunks(values)
    )
