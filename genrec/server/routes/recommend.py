"""Lists: made, streamed, made many at once, read again, gone on with; and documents put in order."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from genrec.server.access import PublicReader, Reader
from genrec.server.bodies import AskBody, BatchBody, RecommendBody, RerankBody, Reranking
from genrec.server.failures import Problem, problem
from genrec.server.fields import HowMany, PathId, parsed
from genrec.server.public import UserToken, check_public
from genrec.server.recommending import check, following, recommend, states
from genrec.server.reranking import rerank
from genrec.server.routes.common import TheService, as_json, errors
from genrec.server.streaming import as_events, streamed, unless_gone
from genrec.types import Recommendation

_AT_ONCE = 4
"""Rows of one batch that stand in line together: the others of the line are for everybody else."""

router = APIRouter(prefix="/v1", tags=["recommendations"])


class BatchRow(BaseModel):
    """One list, or why there is none."""

    recommendation: Recommendation | None = None
    error: Problem | None = None


class Batch(BaseModel):
    """Lists in the order of their requests."""

    results: list[BatchRow]


@router.post(
    "/recommend",
    response_model=Recommendation,
    responses={
        **errors(404, 409, 502, 504),
        200: {"content": {"text/event-stream": {}}, "description": "The list; with `stream` as server-sent events."},
    },
)
async def recommend_one(
    request: Request, desk: PublicReader, service: TheService, asked: RecommendBody, token: UserToken = None
) -> Response:
    """The best items for a user, each with a reason that was checked.

    With `stream` the events are `meta` (the items in the retriever's order, before the model is asked), `order` (the
    items as ranked, where `meta` was `provisional`), `item` (each with its reason, as soon as it is ready), `usage` and
    `done`, or `error`.
    """
    check_public(request.state.key, token, asked)
    if asked.stream:
        await check(service, desk, asked)
        return streamed(service, as_events(states(service, desk, asked)))
    return as_json(await unless_gone(request, recommend(service, desk, asked)))


@router.post("/recommend/batch", response_model=Batch, responses=errors(404, 409, 502, 504))
async def recommend_many(request: Request, desk: Reader, service: TheService, asked: BatchBody) -> Response:
    """Lists for several users; each request succeeds or fails by itself, and counts as one for the rate."""
    service.access.charge(request.state.key, len(asked.requests) - 1)
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Any) -> BatchRow:
        async with few:
            try:
                return BatchRow(recommendation=await recommend(service, desk, parsed(AskBody, row)))
            except Exception as error:
                return BatchRow(error=problem(error))

    async def everyone() -> list[BatchRow]:
        async with asyncio.TaskGroup() as group:
            rows = [group.create_task(one(row)) for row in asked.requests]
        return [row.result() for row in rows]

    return as_json(Batch(results=await unless_gone(request, everyone())))


@router.get("/recommendations/{recommendation_id}", response_model=Recommendation, responses=errors(404))
async def read_again(desk: Reader, recommendation_id: PathId) -> Response:
    """A list as it was given."""
    return as_json((await desk.read(desk.tenant.recommendation, recommendation_id)).recommendation)


@router.get(
    "/recommendations/{recommendation_id}/next", response_model=Recommendation, responses=errors(404, 409, 502, 504)
)
async def go_on(
    request: Request, desk: Reader, service: TheService, recommendation_id: PathId, n: HowMany | None = None
) -> Response:
    """The next best items for the same request: none that this list or those before it showed."""
    saved = await desk.read(desk.tenant.recommendation, recommendation_id)
    return as_json(await unless_gone(request, recommend(service, desk, following(saved, n))))


@router.post("/rerank", tags=["rerank"], responses=errors(502, 504))
async def put_in_order(request: Request, desk: Reader, service: TheService, asked: RerankBody) -> Reranking:
    """Documents by how well they suit a query, best first. Nothing of them is kept."""

    async def work() -> Reranking:
        async with service.admission.place() as left:
            return await rerank(service, desk, asked, left)

    return await unless_gone(request, work())
