"""What routes share: the errors that each may answer with, and answers as JSON just as Python gives them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from genrec.server.failures import ErrorBody
from genrec.server.service import Service

_MEANINGS = {
    400: "the body is no text in UTF-8",
    401: "no key, or one that is not known",
    403: "the key lacks the scope",
    404: "an id that nothing is known about",
    409: "an id that stands for something else, or an empty catalogue",
    412: "it is another by now: read it again",
    413: "the body has too many bytes",
    422: "the request cannot be used",
    428: "the header If-Match is missing",
    429: "the key asks too often",
    500: "the service failed",
    502: "the model answered, and not usably",
    503: "too busy, or database or model out of reach",
    504: "not done before the deadline",
}
_ALWAYS = (400, 401, 403, 413, 422, 429, 500, 503)


def errors(*more: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer with when it does not succeed, for OpenAPI."""
    return {status: {"model": ErrorBody, "description": _MEANINGS[status]} for status in sorted({*_ALWAYS, *more})}


def as_json(answer: BaseModel, status: int = 200) -> Response:
    """An answer exactly as `model_dump_json` writes it."""
    return Response(answer.model_dump_json(), status, media_type="application/json")


async def _service(request: Request) -> Service:  # a plain function would be called in a thread
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]
