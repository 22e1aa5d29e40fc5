"""Recommendations as they were given, and what users thought of their reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from sqlalchemy import and_, insert, select, update

from genrec.errors import Conflict, DataError, NotFound
from genrec.store.database.records import Feedback, Saved, Verdict
from genrec.store.database.rows import decode, decode_mapping, encode, now, upsert
from genrec.store.database.schema import events, feedback, recommendations, users
from genrec.store.database.turn import Turn, View
from genrec.types import ArmCount, Recommendation, ShownReason
from retrieval.cues import strength
from retrieval.types import Event

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
    variant = given.trace.variant
    row = {
        "tenant": turn.tenant,
        "recommendation_id": given.id,
        "user_id": given.user_id,
        "body": given.model_dump_json(),
        "request": encode("the request", request),
        "created_at": now(),
        "arm": given.prompt.version if variant else None,
        "holdout": variant.holdout if variant else None,
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


def outcomes(view: View, versions: Sequence[str], window: timedelta, now: datetime) -> dict[tuple[str, bool], ArmCount]:
    """Of competing versions, by version and holdout: the lists that are older than `window`, and those that were taken.

    A list was taken if an event that names it, and speaks for its item, was received within `window` of it.
    """
    joined = recommendations.outerjoin(
        events,
        and_(
            events.c.tenant == recommendations.c.tenant,
            events.c.recommendation_id == recommendations.c.recommendation_id,
        ),
    )
    made = recommendations.c
    query = (
        select(made.recommendation_id, made.arm, made.holdout, made.created_at, events.c.received_at, events.c.body)
        .select_from(joined)
        .where(made.tenant == view.tenant, made.arm.in_(versions), made.created_at <= (now - window).isoformat())
    )
    arms: dict[str, tuple[str, bool]] = {}
    taken: set[str] = set()
    for row in view.each(query):
        arms[row.recommendation_id] = (row.arm, row.holdout)
        if row.body and _in_time(row.created_at, row.received_at, window) and strength(decode(Event, row.body)) > 0:
            taken.add(row.recommendation_id)
    lists, successes = Counter(arms.values()), Counter(arms[one] for one in taken)
    return {arm: ArmCount(lists=count, taken=successes[arm]) for arm, count in lists.items()}


def _in_time(created_at: str, received_at: str, window: timedelta) -> bool:
    return datetime.fromisoformat(received_at) - datetime.fromisoformat(created_at) <= window


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


def shown_reasons(view: View) -> list[ShownReason]:
    """Every reason of a model that was shown behind a prompt of its own, but those that their users did not approve of.

    What stood in a JSON list was asked for otherwise.
    """
    judged = view.of(feedback, "recommendation_id", "item_id").where(feedback.c.verdict != "helpful")
    disliked = {(row.recommendation_id, row.item_id) for row in view.all(judged)}
    found = []
    for row in view.each(view.of(recommendations, "body", "request", "created_at")):
        given, asked = decode(Recommendation, row.body), decode_mapping(row.request)
        found += [
            ShownReason(
                user_id=given.user_id,
                item_id=item.item_id,
                evidence=item.evidence,
                text=item.reason.text,
                time=datetime.fromisoformat(row.created_at),
                prompt=given.prompt,
                language=asked.get("language"),
            )
            for item in (given.items if given.trace.strategy == "labels" else ())
            if item.reason and item.reason.source == "llm" and (given.id, item.item_id) not in disliked
        ]
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
