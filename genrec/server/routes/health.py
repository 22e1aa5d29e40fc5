"""For those who run the service: is it alive, can it work, what has it done."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from genrec.server.failures import RETRY_AFTER_S
from genrec.server.routes.common import TheService

router = APIRouter(tags=["operations"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/health/ready", responses={503: {"description": "A part does not answer; the body says which."}})
async def ready(service: TheService) -> Response:
    """Database and model answer: each was really asked, a moment ago at most.

    `adapter`, where there are any: which ranks, and why that is not the one in production. It is ready with either.
    """
    parts = await service.health.parts()
    well = all(state == "ok" for state in parts.values())
    headers = {} if well else {"Retry-After": str(RETRY_AFTER_S)}
    adapter = {"adapter": asdict(service.adapters.standing)} if service.adapters else {}
    return JSONResponse({"ready": well, "parts": parts, **adapter}, 200 if well else 503, headers)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: TheService) -> Response:
    """Counters for Prometheus, and whether database and model answer, as `/health/ready` says it."""
    service.metrics.note_ready(await service.health.parts())
    if service.adapters:
        service.metrics.note_adapter(service.adapters.standing)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
