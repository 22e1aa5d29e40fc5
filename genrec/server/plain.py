"""What every value of a request must be before anybody looks at it: text that can be kept, numbers that are numbers."""

from __future__ import annotations

import sys
from typing import Any

LONGEST_TEXT = 20_000
LONGEST_NAME = 256
_MOST_ENTRIES = 10_000
_DEEPEST = 8


def check_plain(value: Any, where: tuple[str, ...] = ()) -> Any:
    """The value as it is. `where` is the way to it, which a message names.

    Raises:
        ValueError: a text, number, list or object that is not taken.
    """
    try:
        _check(value, len(where))
    except ValueError as error:
        raise ValueError(f"{'.'.join(where)}: {error}" if where else str(error)) from None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        check_plain(each, (*where, str(name)))
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


def _check(value: Any, depth: int) -> None:
    """One value, without what is in it."""
    match value:
        case bool() | None:
            return
        case str():
            check_text(value, LONGEST_TEXT)
        case int() | float() if not abs(value) <= sys.float_info.max:
            raise ValueError("a number is not finite: send a finite one")
        case list() | dict():
            _check_nest(value, depth)


def _check_nest(value: list[Any] | dict[Any, Any], depth: int) -> None:
    if depth >= _DEEPEST:
        raise ValueError(f"lists and objects are nested deeper than {_DEEPEST}: make them flat")
    if len(value) > _MOST_ENTRIES:
        raise ValueError(f"a list or object has {len(value)} entries: {_MOST_ENTRIES} are the most")
    for name in value if isinstance(value, dict) else ():
        check_text(str(name), LONGEST_NAME)
