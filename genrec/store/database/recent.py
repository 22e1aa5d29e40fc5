"""The latest lists of a tenant, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from genrec.store.database.records import Given, Recent
from genrec.store.database.rows import chunks, decode
from genrec.store.database.schema import events, feedback, items, recommendations
from genrec.store.database.turn import View
from genrec.types import Recommendation
from retrieval.types import Event


def recent(view: View, limit: int) -> Recent:
    """The last lists, oldest first, with the events that name them and the verdicts on their reasons."""
    newest = view.of(recommendations, "recommendation_id", "body", "created_at").order_by(
        recommendations.c.created_at.desc(), recommendations.c.recommendation_id
    )
    rows = view.all(newest.limit(limit))[::-1]
    ids = [row.recommendation_id for row in rows]
    happened, judged = _events(view, ids), _verdicts(view, ids)
    lists = [
        Given(
            decode(Recommendation, row.body),
            datetime.fromisoformat(row.created_at),
            tuple(happened[row.recommendation_id]),
            tuple(judged[row.recommendation_id]),
        )
        for row in rows
    ]
    own = select(func.count()).select_from(items).where(items.c.tenant == view.tenant)
    return Recent(tuple(lists), view.connection.execute(own).scalar_one())


def _events(view: View, ids: Sequence[str]) -> defaultdict[str, list[Event]]:
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for some in chunks(ids):
        for row in view.all(view.of(events, "recommendation_id", "body").where(events.c.recommendation_id.in_(some))):
            found[row.recommendation_id].append(decode(Event, row.body))
    return found


def _verdicts(view: View, ids: Sequence[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for some in chunks(ids):
        own = view.of(feedback, "recommendation_id", "verdict").where(feedback.c.recommendation_id.in_(some))
        for row in view.all(own):
            found[row.recommendation_id].append(row.verdict)
    return found
