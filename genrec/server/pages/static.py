"""The files that pages need: few, in memory, under an address that changes whenever one of them does."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
FILES = {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "static").iterdir())}
_VERSION = hashlib.sha256(b"".join(name.encode() + content for name, content in FILES.items())).hexdigest()[:12]
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(prefix="/pages/static", include_in_schema=False)


def static(name: str) -> str:
    """The address of a file. Raises KeyError where there is none, so that a template cannot name one in vain."""
    FILES[name]
    return f"{router.prefix}/{_VERSION}/{name}"


@router.get("/{version}/{name}")
async def file(version: str, name: str) -> Response:
    """A file; of another version than ours there is none."""
    if version != _VERSION or name not in FILES:
        raise HTTPException(404)
    return Response(FILES[name], media_type=_TYPES[Path(name).suffix], headers=_FOR_EVER)
