"""What a template is told that asks for something that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import jinja2

NEVER_SEEN = frozenset(("item_id", "image", "created_at", "user_id", "event_id", "timestamp", "id"))
"""Of items, users and events; `data.py` leaves them out."""


class Missing(jinja2.StrictUndefined):
    """What is not there; whoever uses it is told what is."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint or self._undefined_obj is jinja2.utils.missing:
            return super()._undefined_message
        if isinstance(self._undefined_obj, Mapping):
            return _of_fields(self._undefined_obj, str(self._undefined_name))
        return f"{kind(self._undefined_obj)} has no {self._undefined_name!r}"


def kind(value: Any) -> str:
    """What a value is, in words of templates."""
    kinds = {
        str: "a text",
        int: "a number",
        float: "a number",
        bool: "a truth value",
        list: "a list",
        dict: "something with fields",
        type(None): "nothing (none)",
    }
    return kinds.get(type(value), "a part of Jinja")


def _of_fields(fields: Mapping[str, Any], name: str) -> str:
    if name in NEVER_SEEN:
        return f"a template never sees {name!r}"
    if name in fields.get("attributes", ()):
        return f"{_owner(fields)} has no {name!r}: did you mean 'attributes.{name}'?"
    if near := get_close_matches(name, fields, 1):
        return f"{_owner(fields)} has no {name!r}: did you mean {near[0]!r}?"
    if "attributes" in fields or "item" in fields:
        return f"{_owner(fields)} has no {name!r}: it has {', '.join(fields)}"
    return f"there is no {name!r} here: ask first whether it `is defined`"


def _owner(fields: Mapping[str, Any]) -> str:
    """Items, events and the user always have the same fields; attributes and contexts have any."""
    if "title" in fields:
        return "an item"
    if "item" in fields:
        return "an event"
    return "the user" if "attributes" in fields else "this one"
