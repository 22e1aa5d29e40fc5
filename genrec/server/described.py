"""The description of the API, and in it what types do not say: texts hold no NUL, names have a length, sets repeat."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from genrec.server.plain import LONGEST_NAME

_NO_NUL = {"pattern": r"^[^\x00]*$"}
_SAID_ALREADY = {"enum", "const", "format", "pattern"}
_DATA = {"example", "examples", "default"}


def describe(app: FastAPI) -> None:
    """Let `/openapi.json` say it, once all routes are there."""
    _complete(app.openapi())  # FastAPI keeps what it returns


def _complete(part: Any) -> None:
    if isinstance(part, list):
        for inner in part:
            _complete(inner)
    if not isinstance(part, dict):
        return
    if "string" in part.get("type", ()) and not _SAID_ALREADY & part.keys():
        part |= _NO_NUL
    if part.get("additionalProperties"):
        part["propertyNames"] = {"maxLength": LONGEST_NAME, **_NO_NUL}
    part.pop("uniqueItems", None)
    for name, inner in list(part.items()):
        if name not in _DATA:
            _complete(inner)
