"""A recommendation as server-sent events, and requests that end when whoever asked has left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.types import Receive, Scope, Send

from genrec.errors import EngineError
from genrec.server.failures import ErrorBody, problem
from genrec.server.service import Service
from genrec.types import Recommendation

_T = TypeVar("_T")
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""Those that JSON leaves as they are."""
_READING = 2
"""A stream may be read for so many deadlines."""


class Gone(EngineError):
    """Whoever asked has left; nobody reads this."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Await work; where the connection is closed meanwhile, cancel it. Raises Gone."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone("the connection was closed before the answer")
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def as_event(name: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event, its data as JSON on one line, whatever somebody takes for the end of a line."""
    text = json.dumps(data, ensure_ascii=False).translate(_LINE_ENDS)
    return format_sse_event(event=name, data_str=text)


async def as_events(states: AsyncIterator[Recommendation]) -> AsyncGenerator[bytes, None]:
    """`meta` with the items as retrieved, `order` where the model may have changed it, `item` for each with its reason,
    `usage`, `done`; or `error`, and no more.
    """
    sent: set[str] = set()
    answer = None
    try:
        async for state in states:
            if answer is None:
                yield as_event("meta", _meta(state))
            elif answer.provisional and not state.provisional:
                yield as_event("order", {"items": _without_reasons(state)})
            answer = state
            for item in state.items:
                if item.reason and item.item_id not in sent:
                    sent.add(item.item_id)
                    yield as_event("item", item.model_dump(mode="json"))
    except Exception as error:  # the status is sent already
        yield as_event("error", ErrorBody(error=problem(error)).model_dump(mode="json"))
        return
    if answer:
        for event in _end(answer, sent):
            yield event


async def with_heartbeats(events: AsyncGenerator[bytes, None], every_s: float) -> AsyncGenerator[bytes, None]:
    """Comments while nothing happens, so that nobody on the way closes the connection."""
    upcoming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming}, timeout=every_s)
            if not done:
                yield KEEPALIVE_COMMENT
            elif (event := upcoming.result()) is None:
                return
            else:
                yield event
                upcoming = asyncio.ensure_future(anext(events, None))
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await events.aclose()


def streamed(service: Service, events: AsyncGenerator[bytes, None]) -> EventStream:
    """Events as an answer, kept open by heartbeats."""
    settings = service.settings
    return EventStream(with_heartbeats(events, settings.heartbeat_s), _READING * service.config.deadline_s)


class EventStream(StreamingResponse):
    """Server-sent events. When it ends, by itself or because the reader left, so does what makes them.

    Nobody has longer than `most_s` to read it: a reader who stands still must not hold a place for ever.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], most_s: float) -> None:
        super().__init__(events, headers={"X-Accel-Buffering": "no"})
        self._events, self._most_s = events, most_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._most_s):
                await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()


def _end(answer: Recommendation, sent: set[str]) -> list[bytes]:
    rest = [as_event("item", item.model_dump(mode="json")) for item in answer.items if item.item_id not in sent]
    done = answer.model_dump(mode="json", include={"fallback", "warnings", "timings_ms"})
    return [*rest, as_event("usage", answer.usage.model_dump()), as_event("done", done)]


def _meta(state: Recommendation) -> dict[str, Any]:
    about = state.model_dump(mode="json", include={"id", "user_id", "prompt", "model", "provisional"})
    return {**about, "items": _without_reasons(state)}


def _without_reasons(state: Recommendation) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json", exclude={"reason"}) for item in state.items]
