"""What goes wrong as an HTTP answer: one table, one body, nothing of what is inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from genrec.errors import (
    AnswerError,
    Conflict,
    DataError,
    EngineBusy,
    EngineError,
    EngineTimeout,
    GenrecError,
    ModelError,
    NotFound,
    PromptError,
    StoreError,
)
from genrec.server.logs import log_failure
from genrec.server.trace import trace_id

RETRY_AFTER_S = 1
_LONGEST_INPUT = 80
_AROUND = {"body", "path", "query", "one", "many"}
"""Parts of the way to a field that say nothing to those who sent it."""
_KINDS = {"str", "int", "float", "bool", "list[str]"}
_NO_OBJECT = {"missing", "model_type", "model_attributes_type", "dict_type"}


class EmptyCatalogue(Conflict):
    """Nothing can be recommended yet."""


class Unauthenticated(GenrecError):
    """No key, or one that is not known."""


class Forbidden(GenrecError):
    """A key that may not do this."""


class PreconditionRequired(GenrecError):
    """A change that does not say what it changes."""


class PreconditionFailed(GenrecError):
    """A change of something that is another by now."""


class RateLimited(GenrecError):
    """A key that asks too often."""

    retryable = True

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLarge(HTTPException):
    """A body with too many bytes; FastAPI lets only its own errors through while it reads one."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body has more than {most} bytes: send less at once")


_TABLE: Mapping[type[Exception], tuple[int, str]] = {
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    EmptyCatalogue: (409, "empty_catalogue"),
    Conflict: (409, "conflict"),
    PreconditionFailed: (412, "precondition_failed"),
    DataError: (422, "invalid_data"),
    PromptError: (422, "prompt_failed"),
    RequestValidationError: (422, "invalid_request"),
    PreconditionRequired: (428, "precondition_required"),
    RateLimited: (429, "rate_limited"),
    AnswerError: (502, "unusable_answer"),
    EngineBusy: (503, "busy"),
    StoreError: (503, "store_unavailable"),
    EngineTimeout: (504, "timeout"),
    EngineError: (503, "engine_unavailable"),
    ModelError: (503, "engine_unavailable"),
    Exception: (500, "internal"),
}
"""The nearest class of an error counts."""

_CODES = {
    400: "invalid_request",
    404: "unknown_route",
    405: "method_not_allowed",
    413: "too_large",
}
"""What the framework itself says by status alone."""


class Problem(BaseModel):
    """What went wrong. `field` is the part of the request that is wrong; `retryable`: asking again may help."""

    code: str
    message: str
    field: str | None = None
    trace_id: str
    retryable: bool = False


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: Problem


def status_of(error: Exception) -> int:
    """The status that an error is answered with."""
    return error.status_code if isinstance(error, HTTPException) else _entry(error)[0]


def problem(error: Exception) -> Problem:
    """An error as those who asked see it."""
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "invalid_request")
        return Problem(code=code, message=str(error.detail), trace_id=trace_id())
    status, code = _entry(error)
    if isinstance(error, RequestValidationError):
        field, message = _first(error.errors())
        return Problem(code=code, message=message, field=field, trace_id=trace_id())
    if not isinstance(error, GenrecError):
        log_failure(error)
        message = "the service failed: the trace id finds the cause in its log"
        return Problem(code=code, message=message, trace_id=trace_id())
    retryable = error.retryable or status == 503
    return Problem(code=code, message=" ".join(str(error).split()), trace_id=trace_id(), retryable=retryable)


def headers_of(error: Exception) -> dict[str, str]:
    """The headers of an answer with an error: when to ask again, and how to say who asks."""
    if isinstance(error, RateLimited):
        return {"Retry-After": str(max(1, round(error.retry_after_s + 0.5)))}
    if isinstance(error, HTTPException):
        return dict(error.headers or {})
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(RETRY_AFTER_S)} if status_of(error) == 503 else {}


def respond(error: Exception) -> Response:
    """An error as a whole answer."""
    body = ErrorBody(error=problem(error)).model_dump(mode="json")
    return JSONResponse(body, status_of(error), headers_of(error))


def handle_failures(app: FastAPI) -> None:
    """Let every error of a route end in `respond`."""

    async def answer(request: Request, error: Exception) -> Response:
        if status_of(error) == 405:
            return respond(HTTPException(405, headers={"Allow": ", ".join(_allowed(request))}))
        return respond(error)

    for kind in (GenrecError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def _allowed(request: Request) -> list[str]:
    """The methods of a path: of all its routes, while Starlette names those of the first."""
    routes = request.app.routes
    path = next(route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in routes if route.path == path for method in route.methods})


def _entry(error: Exception) -> tuple[int, str]:
    return next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)


def _first(errors: Sequence[Any]) -> tuple[str | None, str]:
    """Where the first mistake is, and what it is."""
    found = errors[0]
    way = [str(part) for part in found["loc"] if part not in _AROUND]
    field = ".".join(way[:-1] if way and way[-1] in _KINDS else way) or None
    match found["type"]:
        case "json_invalid":
            return None, f"the body is not JSON: {found.get('ctx', {}).get('error', 'check it')}"
        case "missing" if field:
            return field, f"field {field!r} is missing"
        case "extra_forbidden":
            return field, f"unknown field {field!r}: remove it"
        case _ if field is None and found["type"] in _NO_OBJECT:
            return None, "a JSON object is needed here, sent as application/json"
    said = found["msg"].removeprefix("Value error, ")
    plain = isinstance(found["input"], str | int | float) and found["type"] != "value_error"
    value = f" is {repr(found['input'])[:_LONGEST_INPUT]}" if plain else ""
    return field, f"field {field!r}{value}: {said}" if field else said
