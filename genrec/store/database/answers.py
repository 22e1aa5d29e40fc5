"""Recommendations as they were given, and what users thought of their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import insert, update

from genrec.errors import Conflict, DataError, NotFound
from genrec.store.database.records import Feedback, Saved, Verdict
from genrec.store.database.rows import decode, decode_mapping, encode, now, upsert
from genrec.store.database.schema import events, feedback, recommendations, users
from genrec.store.database.turn import Turn, View
from genrec.types import Recommendation

_VERDICTS = get_args(Verdict)


def save(turn: Turn, given: Recommendation, request: Mapping[str, Any]) -> None:
    """Keep an answer.

    Raises:
        Conflict: one with its id is there.
        DataError: the request is no JSON.
        NotFound: its user is not there, or was erased while it was made.
    """
    if turn.first(turn.of(users, "seq").where(users.c.user_id == given.user_id)) is None:
        raise NotFound(f"no user {given.user_id!r}, so their recommendation is not kept: add the user first")
    if _row(turn, given.id) is not None:
        raise Conflict(f"recommendation {given.id!r} is there already: give each its own id")
    row = {
        "tenant": turn.tenant,
        "recommendation_id": given.id,
        "user_id": given.user_id,
        "body": given.model_dump_json(),
        "request": encode("the request", request),
        "created_at": now(),
    }
    turn.connection.execute(insert(recommendations), row)


def complete(turn: Turn, given: Recommendation) -> None:
    """Put an answer in place of the one with its id. Raises NotFound where there is none."""
    own = (recommendations.c.tenant == turn.tenant, recommendations.c.recommendation_id == given.id)
    change = update(recommendations).where(*own).values(body=given.model_dump_json())
    if not turn.connection.execute(change).rowcount:
        raise NotFound(f"no recommendation {given.id!r} to complete: its user was erased meanwhile")


def saved(view: View, recommendation_id: str) -> Saved:
    """An answer that was kept. Raises NotFound."""
    row = _row(view, recommendation_id)
    if row is None:
        raise NotFound(f"no recommendation {recommendation_id!r}: its user was erased, or the id is another")
    created_at = datetime.fromisoformat(row.created_at)
    return Saved(decode(Recommendation, row.body), decode_mapping(row.request), created_at)


def answered(view: View) -> dict[str, tuple[str, ...]]:
    """The items of the list that each event answers, by the event's id; events that answer none are not there."""
    lists: dict[str, tuple[str, ...]] = {}
    found: dict[str, tuple[str, ...]] = {}
    for row in view.all(
        view.of(events, "event_id", "recommendation_id").where(events.c.recommendation_id.is_not(None))
    ):
        name = row.recommendation_id
        if name not in lists:
            lists[name] = tuple(item.item_id for item in saved(view, name).recommendation.items)
        found[row.event_id] = lists[name]
    return found


def judge(turn: Turn, given: Feedback) -> None:
    """Keep a verdict in place of the last one.

    Raises:
        DataError: a verdict that there is not.
        NotFound: no such recommendation, or the item is not in it.
    """
    if given.verdict not in _VERDICTS:
        raise DataError(f"verdict {given.verdict!r} is none of {', '.join(_VERDICTS)}")
    listed = saved(turn, given.recommendation_id).recommendation.items
    if given.item_id not in {item.item_id for item in listed}:
        raise NotFound(f"item {given.item_id!r} is not in recommendation {given.recommendation_id!r}: name one that is")
    upsert(turn.connection, feedback, [{"tenant": turn.tenant, **vars(given), "given_at": now()}])


def _row(view: View, recommendation_id: str) -> Any:
    own = view.of(recommendations, "body", "request", "created_at")
    return view.first(own.where(recommendations.c.recommendation_id == recommendation_id))
