"""What a card shows: an item of a list with its record, and the evidence with what is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genrec.errors import NotFound
from genrec.store import Store
from genrec.types import Evidence, RankedItem, Recommendation
from retrieval import Event, Item


@dataclass(frozen=True)
class Ground:
    """A piece of evidence; `event` and `past` are what happened and with which item, where it is an event."""

    evidence: Evidence
    event: Event | None = None
    past: Item | None = None


@dataclass(frozen=True)
class Card:
    """One place of a list."""

    ranked: RankedItem
    item: Item
    grounds: Sequence[Ground]


def cards(answer: Recommendation, store: Store) -> list[Card]:
    """The cards of a list, in its order."""
    events = {event.ref: event for event in store.history(answer.user_id)}
    return [
        Card(ranked, _item(ranked, store), [_ground(evidence, events, store) for evidence in ranked.evidence])
        for ranked in answer.items
    ]


def _ground(evidence: Evidence, events: dict[str, Event], store: Store) -> Ground:
    event = events.get(evidence.ref) if evidence.type == "event" else None
    return Ground(evidence, event, store.item(event.item_id) if event else None)


def _item(ranked: RankedItem, store: Store) -> Item:
    """The record of an item, or what the list says of it where it was removed meanwhile."""
    try:
        return store.item(ranked.item_id)
    except NotFound:
        return Item(item_id=ranked.item_id, title=ranked.title)
