"""The element `<genrec-list>` for other people's pages, as one script."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

_SCRIPT = (Path(__file__).parent.parent / "component" / "genrec-list.js").read_bytes()
_TAG = f'"{hashlib.sha256(_SCRIPT).hexdigest()[:32]}"'
_HEADERS = {
    "ETag": _TAG,
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=604800",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

router = APIRouter(tags=["component"])


@router.get(
    "/component/genrec-list.js",
    response_class=Response,
    responses={200: {"content": {"text/javascript": {}}}, 304: {"description": "It is as you have it."}},
)
async def genrec_list(request: Request) -> Response:
    """The element `<genrec-list>`, a module without dependencies, for pages of any origin."""
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if _TAG in known:
        return Response(status_code=304, headers=_HEADERS)
    return Response(_SCRIPT, media_type="text/javascript; charset=utf-8", headers=_HEADERS)
