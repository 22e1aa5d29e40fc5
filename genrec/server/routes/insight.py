"""Why: of items that are recommended, of items that are not, of what is alike, and of what decides at all."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from genrec.explain import alike, by_signal
from genrec.server.access import Reader
from genrec.server.bodies import ExplainBody, InfluencesBody, WhyNotBody
from genrec.server.fields import HowMany, PathId
from genrec.server.routes.common import TheService, as_json, errors
from genrec.server.streaming import unless_gone
from genrec.types import Explanation, Influences, Parameters, WhyNot
from genrec.wording import Language

router = APIRouter(prefix="/v1", tags=["insight"])


class Alike(BaseModel):
    """An item that is like another: what makes it so, in words and by signal."""

    item_id: str
    title: str
    score: float
    why: list[str]
    signals: dict[str, float]


class AlikeItems(BaseModel):
    """The items most like one item, the most alike first."""

    item_id: str
    similar: list[Alike]


@router.get("/items/{item_id}/similar", responses=errors(404, 409))
async def similar(desk: Reader, item_id: PathId, n: HowMany = 5, language: Language = "en") -> AlikeItems:
    """The items most like one item, and why."""
    recommender = await desk.current()
    found = await asyncio.to_thread(recommender.similar, item_id, n)
    return AlikeItems(
        item_id=item_id,
        similar=[
            Alike(
                item_id=candidate.item.item_id,
                title=candidate.item.title,
                score=candidate.score,
                why=alike(candidate, language),
                signals=by_signal(candidate),
            )
            for candidate in found
        ],
    )


@router.post("/explain", response_model=Explanation, responses=errors(404, 409, 502, 504))
async def explain(request: Request, desk: Reader, service: TheService, asked: ExplainBody) -> Response:
    """Why an item suits a user, recommended or not, in a sentence that was checked."""

    async def work() -> Explanation:
        async with service.admission.place() as left:
            recommender = await desk.current()
            return await recommender.aexplain(**dict(asked), deadline_s=left())

    found = await unless_gone(request, work())
    service.metrics.count_fallback(found.fallback)
    return as_json(found)


@router.post("/why-not", response_model=WhyNot, responses=errors(404, 409))
async def why_not(desk: Reader, asked: WhyNotBody) -> Response:
    """What keeps an item out of a user's first n. Asks no model."""
    recommender = await desk.current()
    return as_json(await asyncio.to_thread(lambda: recommender.why_not(**dict(asked))))


@router.post("/influences", response_model=Influences, responses=errors(404, 409))
async def influences(desk: Reader, asked: InfluencesBody) -> Response:
    """Everything that speaks for an item and against it, and where it would stand without each. Asks no model."""
    recommender = await desk.current()
    return as_json(await asyncio.to_thread(lambda: recommender.influences(**dict(asked))))


@router.get("/parameters", response_model=Parameters, responses=errors(409))
async def parameters(desk: Reader) -> Response:
    """What decides on the order of a list, in plain words, and how to get one that uses nothing of the user."""
    recommender = await desk.current()
    return as_json(recommender.parameters())
