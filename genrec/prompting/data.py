"""What templates see: plain dicts, lists, strings and numbers, with every text cleaned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genrec.prompting.clean import clean
from retrieval.types import AttributeValue, Context, Event, Item, User, plain

_MANY = 5
"""Items carry up to hundreds of categories; a prompt shows the first few."""
_UNTITLED = "untitled"
"""Stands for a title that has nothing to show."""
DESCRIPTION = 300
"""Characters of a description that a prompt shows where there is room."""


def item_data(item: Item, description: int = DESCRIPTION) -> dict[str, Any]:
    """`title`, `description` (cut at so many characters), `categories`, `price`, `attributes` of an item."""
    return {
        "title": clean(item.title, 120) or _UNTITLED,
        "description": clean(item.description, description) if description else "",
        "categories": [clean(category, 60) for category in item.categories[:_MANY]],
        "price": item.price,
        "attributes": _attributes(item.attributes),
    }


def candidate_data(label: str, item: Item, description: int = DESCRIPTION) -> dict[str, Any]:
    """An item with the `label` that stands for it in this prompt."""
    return {"label": label, **item_data(item, description)}


@dataclass(frozen=True)
class Subject:
    """What a ranking prompt is about. `item` finds an item by its id, `now` is the moment that days are counted to."""

    user: User
    history: Sequence[Event]
    context: Context
    instruction: str
    n: int
    language: str
    item: Callable[[str], Item]
    now: datetime | None

    def data(self, window: Mapping[str, Item], events: int, description: int = DESCRIPTION) -> dict[str, Any]:
        """What a template sees: candidates by their labels, so many latest events, descriptions so long."""
        shown = self.history[-events:] if events else ()
        return {
            "user": user_data(self.user),
            "history": history_data(shown, self.item, self.now),
            "context": context_data(self.context),
            "instruction": clean(self.instruction),
            "candidates": [candidate_data(label, item, description) for label, item in window.items()],
            "n": self.n,
            "language": self.language,
        }


def content_free(labels: Sequence[str]) -> dict[str, Any]:
    """What a ranking template sees where nothing is known: of the user, of the moment, of any item."""
    unknown = Item(item_id="N/A", title="N/A")
    return {
        "user": {"attributes": {}},
        "history": [],
        "context": {},
        "instruction": "",
        "candidates": [candidate_data(label, unknown) for label in labels],
        "n": 1,
    }


def user_data(user: User) -> dict[str, Any]:
    """`attributes` of a user. The user's id is not part of any prompt."""
    return {"attributes": _attributes(user.attributes)}


def history_data(history: Sequence[Event], item: Callable[[str], Item], now: datetime | None) -> list[dict[str, Any]]:
    """Events, oldest first: `type`, `value`, `date`, `days_ago` (None without a time), `item`, `context`."""
    return [
        {
            "type": clean(event.type, 64),
            "value": _number(event.value),
            "date": event.timestamp.date().isoformat() if event.timestamp else None,
            "days_ago": days_ago(event, now),
            "item": item_data(item(event.item_id)),
            "context": context_data(event.context or Context()),
        }
        for event in history
    ]


def context_data(context: Context) -> dict[str, str]:
    """Every context field that is set: `time`, `place`, `device` and the free ones."""
    return {clean(name, 60): clean(value, 120) for name, value in context.fields().items()}


def days_ago(event: Event, now: datetime | None) -> int | None:
    """Whole calendar days between an event and `now`; None where either is unknown or the event is later."""
    if not event.timestamp or not now:
        return None
    days = (now.date() - event.timestamp.date()).days
    return days if days >= 0 else None


def _number(value: float | None) -> float | int | None:
    """4.0 reads 4: a prompt says it as a person would."""
    return int(value) if value is not None and value.is_integer() else value


def _attributes(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {clean(name, 60): _value(value) for name, value in attributes.items()}


def _value(value: AttributeValue) -> str | int | float:
    """Numbers stay numbers, so that a template can compare them."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return clean(plain(value))
