"""The fields of requests: how long, how large, how late; and what every body has in common."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from genrec.config import MOST_CANDIDATES
from genrec.server.plain import LONGEST_NAME, LONGEST_TEXT, check_plain, check_text
from retrieval import Context
from retrieval.types import Attributes, AttributeValue, UtcTime

MOST_ROWS = 1000
"""In one request."""
_LARGEST = 2**53
"""Beyond this not every language that reads JSON tells a whole number from the next one."""
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_AHEAD = timedelta(days=1)
_BEGINS_WITH_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE = {"type": "integer", "minimum": -_LARGEST, "maximum": _LARGEST}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_NAME = {"type": ["string", "number"]}
_NAMES = {
    "type": "array",
    "items": {"anyOf": [_NAME, {"type": "array", "items": _NAME}]},
    "description": "Names, or paths of names.",
}
_ATTRIBUTES = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": ["string", "number", "boolean", "null"]}, _TEXTS]},
    "description": "What says nothing (null, blank text, an empty list) is left out.",
}

_M = TypeVar("_M", bound=BaseModel)


def _id(value: object) -> object:
    """An id as text; a whole number is taken too, for many databases count their rows."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        if abs(value) > _LARGEST:
            raise ValueError("a whole number is beyond 2^53: send it as text")
        return str(int(value))
    return check_text(value, LONGEST_NAME) if isinstance(value, str) else value


def _decoded(value: object) -> object:
    """An id of a path, which arrives as it stands in the URL, so that it may hold any character, `/` too."""
    if not isinstance(value, str):
        return value
    try:
        return _id(unquote(value, errors="strict"))
    except UnicodeDecodeError as error:
        raise ValueError("the id in the path is not UTF-8: percent-encode its bytes in UTF-8") from error


def _sensible(time: datetime) -> datetime:
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise ValueError(f"the year is {time.year}: from {_FIRST_YEAR} to {_LAST_YEAR} are taken")
    return time


def _past(time: datetime) -> datetime:
    """An event of the future would make everything that happened look old."""
    if time > datetime.now(UTC) + _AHEAD:
        raise ValueError("the time lies in the future: send the moment when it happened")
    return _sensible(time)


def _number(value: object) -> object:
    """A number, and nothing that might be taken for one."""
    if isinstance(value, bool | str):
        raise ValueError("a number is needed")
    return value


def _written(value: object) -> object:
    """A time as people write it; of a bare number nobody knows whether it counts seconds or milliseconds."""
    if value is not None and not (isinstance(value, str) and _BEGINS_WITH_DATE.match(value)):
        raise ValueError("a time is written as 2026-11-01T10:00:00Z or 2026-11-01")
    return value


def _with_written_time(value: object) -> object:
    if isinstance(value, dict):
        _written(value.get("time"))
    return value


def _at_sensible_time(context: Context) -> Context:
    if context.time:
        _sensible(context.time)
    return context


def _visible(most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": most, "pattern": r"^[^\x00]*\S[^\x00]*$"})


Id = Annotated[
    str,
    BeforeValidator(_id),
    StringConstraints(min_length=1, max_length=LONGEST_NAME),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}, _WHOLE]}),
]
PathId = Annotated[str, BeforeValidator(_decoded), Path(min_length=1, max_length=LONGEST_NAME)]
Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Short = Annotated[str, StringConstraints(max_length=2000)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True), _visible(1000)]
Kind = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), _visible(64)]
Categories = Annotated[Any, WithJsonSchema(_NAMES)]
IsNumber = BeforeValidator(_number)
Number = Annotated[float, IsNumber]
Price = Annotated[float, Field(ge=0), IsNumber]
Rank = Annotated[int, Field(ge=1, le=_LARGEST), IsNumber]
Count = Annotated[int, Field(ge=1, le=MOST_CANDIDATES), IsNumber]
Moment = Annotated[Context, BeforeValidator(_with_written_time), AfterValidator(_at_sensible_time)]
Sensible = Annotated[UtcTime, BeforeValidator(_written), AfterValidator(_sensible)]
Known = Annotated[Attributes, WithJsonSchema(_ATTRIBUTES)]
Changed = Annotated[dict[str, AttributeValue | None], WithJsonSchema(_ATTRIBUTES)]
Past = Annotated[UtcTime, BeforeValidator(_written), AfterValidator(_past)]
After = Annotated[str, BeforeValidator(_id), Query(max_length=LONGEST_NAME, description="The last id you have.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
HowMany = Annotated[int, Query(ge=1, le=MOST_CANDIDATES)]


class Envelope(BaseModel):
    """Many requests in one, each of which is looked at by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(Envelope):
    """A request: unknown fields are mistakes, and so is text or a number that cannot be kept."""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return check_plain(value)


def parsed(kind: type[_M], value: Any) -> _M:
    """A part of a request that is looked at by itself. Raises RequestValidationError, as FastAPI does for the whole."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
