"""What happens to every request around its route. Plain ASGI, so that streams and disconnects pass through."""

from __future__ import annotations

from time import perf_counter

from opentelemetry.trace import StatusCode, get_current_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrec.server.access import header, secret_of
from genrec.server.failures import TooLarge, respond
from genrec.server.logs import log_failure, log_request
from genrec.server.service import Service
from genrec.server.trace import begin_trace, trace_id

API = "/v1/"
GONE = 499
"""Whoever asked has left before the answer; as nginx counts it."""
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Said of every answer that does not say it itself."""


class Observed:
    """The outermost layer: a trace, headers that keep browsers safe, a log line, metrics, and no error gets out.

    Whoever asks how the service is (outside of /v1/) leaves no span.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._metrics = app, service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with begin_trace(scope["headers"], recorded=scope["path"].startswith(API)):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status, trace = perf_counter(), 0, trace_id().encode()

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _marked(message["headers"], trace)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception as error:
            if status:
                log_failure(error)  # too late to say it: the answer ends here, in the middle
            else:
                await respond(error)(scope, receive, send_marked)
        finally:
            self._note(scope, status or GONE, perf_counter() - start)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        key = scope.get("state", {}).get("key")
        tenant = key.tenant if key else None
        method = scope["method"] if scope["method"] in _METHODS else "other"  # anybody may invent one
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        log_request(method, route, status, seconds * 1000, tenant)
        _note_in_span(method, route, status, tenant)


class Guarded:
    """Under /v1/: a known key, and not more bytes than are taken, before any work is done.

    Paths are matched as they stand in the URL: an id may hold `/`, written as `%2F`.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._access, self._most = app, service.access, service.settings.body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = scope["raw_path"].decode("latin-1")
        try:
            if scope["path"].startswith(API):
                key = await self._access.key(secret_of(scope["headers"]))
                scope.setdefault("state", {})["key"] = key
                self._access.admit(key, header(scope["headers"], b"origin"))
            self._check_length(scope)
        except Exception as error:
            await respond(error)(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _check_length(self, scope: Scope) -> None:
        """What the request says of itself; `_counted` does not believe it."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            raise TooLarge(self._most)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def receive_counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise TooLarge(self._most)
            return message

        return receive_counted


def _note_in_span(method: str, route: str, status: int, tenant: str | None) -> None:
    span = get_current_span()
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if tenant:
        span.set_attribute("genrec.tenant", tenant)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def _marked(headers: list[tuple[bytes, bytes]], trace: bytes) -> list[tuple[bytes, bytes]]:
    own = {name for name, _ in headers}
    return [*headers, *(said for said in _SECURITY if said[0] not in own), (b"x-trace-id", trace)]
