"""What users did, and what they think of reasons: on disk when it is acknowledged, counted in the next list."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from genrec.server.access import Writer
from genrec.server.acknowledging import acknowledge
from genrec.server.bodies import Acknowledged, EventBody, FeedbackBody, OneOrManyEvents, Row, Rows
from genrec.server.desk import Desk
from genrec.server.failures import problem
from genrec.server.fields import PathId, parsed
from genrec.server.routes.common import TheService, as_json, errors
from genrec.server.service import Service
from genrec.store.database import Feedback

router = APIRouter(prefix="/v1", tags=["events"])


@router.post(
    "/events",
    status_code=201,
    response_model=Acknowledged,
    responses={
        **errors(404, 409),
        200: {"model": Acknowledged | Rows, "description": "The event was there already; or many were sent."},
    },
)
async def add_events(desk: Writer, service: TheService, asked: OneOrManyEvents) -> Response:
    """Keep one event, or up to 1000 in `events`, each by itself. The next list knows them."""
    if isinstance(asked, EventBody):
        [outcome] = await acknowledge(desk, [asked])
        if isinstance(outcome, Exception):
            raise outcome
        service.metrics.events.inc(not outcome.repeated)
        return as_json(Acknowledged(event_id=outcome.event.event_id or ""), 200 if outcome.repeated else 201)
    return _without_none(await _many(service, desk, asked.events))


@router.delete("/events/{event_id}", status_code=204, responses=errors(404))
async def forget_event(desk: Writer, event_id: PathId) -> None:
    """Forget an event: lists are made as if it had not happened."""
    await desk.write(desk.tenant.delete_event, event_id)
    await desk.after_removal()


@router.post("/feedback", status_code=204, responses=errors(404))
async def judge_reason(desk: Writer, asked: FeedbackBody) -> None:
    """Say what a user thinks of a reason."""
    await desk.write(desk.tenant.add_feedback, Feedback(**asked.model_dump()))


async def _many(service: Service, desk: Desk, rows: list[Any]) -> Rows:
    bodies: list[EventBody | Exception] = []
    for row in rows:
        try:
            bodies.append(parsed(EventBody, row))
        except Exception as error:
            bodies.append(error)
    stored = iter(await acknowledge(desk, [body for body in bodies if isinstance(body, EventBody)]))
    outcomes = [body if isinstance(body, Exception) else next(stored) for body in bodies]
    service.metrics.events.inc(sum(not isinstance(outcome, Exception) and not outcome.repeated for outcome in outcomes))
    return Rows(
        results=[
            Row(error=problem(outcome))
            if isinstance(outcome, Exception)
            else Row(id=outcome.event.event_id, repeated=outcome.repeated)
            for outcome in outcomes
        ]
    )


def _without_none(rows: Rows) -> Response:
    return Response(rows.model_dump_json(exclude_none=True), media_type="application/json")
