"""The recommendations of one user: asked for, growing, judged."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import Form, Query
from fastapi.responses import Response

from genrec.errors import NotFound
from genrec.server.acknowledging import acknowledge
from genrec.server.pages.asking import AskForm
from genrec.server.pages.effects import Changes, Judged, Verdict, changes, event_id, event_of, verdicts_on
from genrec.server.pages.growing import Compare, parts
from genrec.server.pages.rendering import html
from genrec.server.pages.routing import pages
from genrec.server.pages.visiting import Reading, Visit, Writing
from genrec.server.recommending import check, request_of
from genrec.server.streaming import streamed
from genrec.store.database import Saved
from genrec.types import Recommendation
from genrec.wording import wording

_USERS = 100
"""That are offered at once; whoever types sees those that follow."""
_RECENT = 8
_HISTORY = 200
"""Events in which verdicts on the list before are looked for."""

router = pages("/recommendations")


@router.get("")
async def show(visit: Reading, asked: Annotated[AskForm, Query()]) -> Response:
    """The form, and room for a list, which the page asks for itself."""
    users = await visit.desk.read(visit.desk.tenant.users, "", _USERS)
    return visit.page("recommendations.html.j2", asked=asked, users=users)


@router.get("/users")
async def users(visit: Reading, user_id: str = "") -> Response:
    """Users whose ids follow what was typed."""
    found = await visit.desk.read(visit.desk.tenant.users, user_id[:-1], _USERS)
    return html(visit.part("_users.html.j2", users=found))


@router.get("/known")
async def known(visit: Reading, user_id: str = "") -> Response:
    """What is known of a user."""
    words, tenant = wording(visit.words.language), visit.desk.tenant
    try:
        user = await visit.desk.read(tenant.user, user_id)
    except NotFound:
        return html("")
    events = await visit.desk.read(tenant.history, user_id, _RECENT)
    titles = {event.item_id: (await visit.desk.read(tenant.item, event.item_id)).title for event in events}
    lines = [(event, words.event(event.type, titles[event.item_id], event.value, None)) for event in events]
    return html(visit.part("_known.html.j2", user=user, events=lines, field=words.field))


@router.post("/list")
async def grow(visit: Reading, asked: Annotated[AskForm, Form()]) -> Response:
    """A list as it grows: see `growing`."""
    body = asked.body(visit.words.language)
    recommender = await check(visit.service, visit.desk, body)
    compare = _comparison(visit, asked.previous, request_of(body))
    return streamed(visit.service, parts(visit, recommender, body, compare))


@router.post("/verdicts")
async def judge(
    visit: Writing,
    list_id: Annotated[str, Form()],
    item_id: Annotated[str, Form()],
    verdict: Annotated[Verdict, Form()],
) -> Response:
    """Keep what somebody thinks of an item as an event that names the list."""
    saved = await visit.desk.read(visit.desk.tenant.recommendation, list_id)
    [outcome] = await acknowledge(visit.desk, [event_of(saved, item_id, verdict)])
    if isinstance(outcome, Exception):
        raise outcome
    visit.service.metrics.events.inc(not outcome.repeated)
    return await _judged(visit, saved.recommendation, item_id)


@router.delete("/verdicts")
async def take_back(visit: Writing, list_id: str, item_id: str, verdict: Verdict) -> Response:
    """Forget it; it does not matter whether it is forgotten already."""
    saved = await visit.desk.read(visit.desk.tenant.recommendation, list_id)
    with suppress(NotFound):
        await visit.desk.write(visit.desk.tenant.delete_event, event_id(list_id, item_id, verdict))
    await visit.desk.after_removal()
    return await _judged(visit, saved.recommendation, item_id)


async def _judged(visit: Visit, answer: Recommendation, item_id: str) -> Response:
    history = await visit.desk.read(visit.desk.tenant.history, answer.user_id, _HISTORY)
    said = verdicts_on(answer.id, item_id, history)
    verdicts = visit.part("_verdicts.html.j2", judged=Judged(answer.id, item_id, said))
    return html(verdicts + visit.part("_noted.html.j2", noted=True, changes=None))


def _comparison(visit: Visit, previous: str, request: dict[str, object]) -> Compare:
    """With the list that was shown before, where there was one: read when the new one is there, which does not wait."""

    async def compare(answer: Recommendation) -> Changes | None:
        before = await _before(visit, previous)
        if before is None:
            return None
        history = await visit.desk.read(visit.desk.tenant.history, before.recommendation.user_id, _HISTORY)
        return changes(before, answer, request, history)

    return compare


async def _before(visit: Visit, previous: str) -> Saved | None:
    """The list before, or None where it was not kept."""
    try:
        return await visit.desk.read(visit.desk.tenant.recommendation, previous) if previous else None
    except NotFound:
        return None
