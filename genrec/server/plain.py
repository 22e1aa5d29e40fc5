"""What every value of a request must be before anybody looks at it: text that can be kept, numbers that are numbers."""

from __future__ import annotations

import math
from typing import Any

LONGEST_TEXT = 20_000
LONGEST_NAME = 256
_MOST_ENTRIES = 10_000
_DEEPEST = 8
_LARGEST = 2**53
"""Whole numbers beyond this are not the same in every language that reads JSON."""


def check_plain(value: Any, depth: int = 0) -> Any:
    """The value as it is.

    Raises:
        ValueError: a text, number, list or object that is not taken.
    """
    match value:
        case str():
            return check_text(value, LONGEST_TEXT)
        case bool() | None:
            return value
        case int() | float():
            _check_number(value)
        case list() | dict():
            _check_nest(value, depth)
    return value


def check_text(text: str, most: int) -> str:
    """Text without NUL characters and halves of characters, and not longer than `most`."""
    if len(text) > most:
        raise ValueError(f"a text has {len(text)} characters: {most} are the most")
    if "\0" in text:
        raise ValueError("a text holds a NUL character: leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a character (a lone surrogate): send valid Unicode") from error
    return text


def _check_number(value: float) -> None:
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("a whole number is beyond 2^53: send it as text")
    if not math.isfinite(value):
        raise ValueError("a number is not finite: send a finite one")


def _check_nest(value: list[Any] | dict[Any, Any], depth: int) -> None:
    if depth >= _DEEPEST:
        raise ValueError(f"lists and objects are nested deeper than {_DEEPEST}: make them flat")
    if len(value) > _MOST_ENTRIES:
        raise ValueError(f"a list or object has {len(value)} entries: {_MOST_ENTRIES} are the most")
    if isinstance(value, dict):
        for name in value:
            check_text(str(name), LONGEST_NAME)
    for inner in value.values() if isinstance(value, dict) else value:
        check_plain(inner, depth + 1)
