"""The description of the API, and in it what types do not say.

Texts hold no NUL, names have a length, numbers a largest, and what is a set here may repeat itself in a request.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from genrec.server.plain import LARGEST, LONGEST_NAME

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
    if "string" in _types(part) and not _SAID_ALREADY & part.keys():
        part |= _NO_NUL
    if {"number", "integer"} & _types(part):
        _bound(part)
    if part.get("additionalProperties"):
        part["propertyNames"] = {"maxLength": LONGEST_NAME, **_NO_NUL}
    part.pop("uniqueItems", None)
    for name, inner in list(part.items()):
        if name not in _DATA:
            _complete(inner)


def _bound(part: dict[str, Any]) -> None:
    if "exclusiveMinimum" not in part:
        part.setdefault("minimum", -LARGEST)
    if "exclusiveMaximum" not in part:
        part.setdefault("maximum", LARGEST)


def _types(part: dict[str, Any]) -> set[str]:
    said = part.get("type", ())
    return {said} if isinstance(said, str) else set(said)
