"""Pages of other origins: what their browsers ask before, and may read of the answer."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrec.server.access import header
from genrec.server.failures import respond
from genrec.server.service import Service

PATH = "/v1/recommend"
"""All that a public key may ask for."""
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-User-Token",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin",
}


class CrossOrigin:
    """CORS by public keys: an answer may be read by pages of the origins of the key that asked, errors too.

    A preflight comes without a key: it is answered to the origins of any public key. No cookies are ever allowed.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._access = app, service.access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = header(scope["headers"], b"origin") if scope["type"] == "http" else ""
        if not origin or scope["path"] != PATH:
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and header(scope["headers"], b"access-control-request-method"):
            await (await self._preflight(origin))(scope, receive, send)
        else:
            await self._app(scope, receive, _readable(scope, origin, send))

    async def _preflight(self, origin: str) -> Response:
        try:
            allowed = await self._access.allows(origin)
        except Exception as error:
            return respond(error)
        said = {**_PREFLIGHT, "Access-Control-Allow-Origin": origin} if allowed else {"Vary": "Origin"}
        return Response(status_code=204 if allowed else 403, headers=said)


def _readable(scope: Scope, origin: str, send: Send) -> Send:
    async def send_readable(message: Message) -> None:
        key = scope.get("state", {}).get("key")
        if message["type"] == "http.response.start" and key and origin in key.origins:
            message["headers"] = [
                *message["headers"],
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", b"Retry-After, X-Trace-Id"),
                (b"vary", b"Origin"),
            ]
        await send(message)

    return send_readable
