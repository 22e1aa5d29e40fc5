"""What a request gives away: events, attributes, context and instruction as weighted cues."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.types import AttributeValue, Context, ContributionKind, Event, plain
from retrieval.weights import Weights

EVENT_WEIGHTS = {
    "view": 0.4,
    "click": 0.5,
    "play": 0.6,
    "favorite": 1.0,
    "cart": 0.9,
    "purchase": 1.0,
    "rate": 1.0,
    "dismiss": -0.6,
}
"""How much an event of each type says about taste; another word counts as `OTHER_EVENT_WEIGHT`."""
OTHER_EVENT_WEIGHT = 0.5

_FAINT = 0.01
"""Events that weigh less than this share of the strongest one are left out."""
_PARTS_OF_DAY = ("night", "morning", "afternoon", "evening")
_HOURS = 24 // len(_PARTS_OF_DAY)
_SATURDAY = 5


@dataclass(frozen=True)
class Cue:
    """One thing known about a request that speaks for or against items, and how much it counts.

    `item_id` is the item of an event; `field` and `value` are an attribute or a part of the context; `text` is
    what an encoder reads of it.
    """

    kind: ContributionKind
    ref: str
    weight: float
    item_id: str = ""
    field: str = ""
    value: str = ""
    text: str = ""


def strength(event: Event) -> float:
    """What an event says about taste, in [-1, 1]. Ratings on a 1 to 5 scale: 2.5 says nothing, 1 is a no."""
    if event.type == "rate" and event.value is not None:
        return max(-1.0, min(1.0, (event.value - 2.5) / 2.5))
    return EVENT_WEIGHTS.get(event.type, OTHER_EVENT_WEIGHT)


def event_weights(history: Sequence[Event], weights: Weights) -> list[float]:
    """Strength × recency of each event, scaled so that absolute values sum to 1 (all 0 if nothing counts).

    A negative strength is multiplied by `dislike`. Recency is `step_decay` per step back in the history times a
    half-life in days before the newest event; an event without a timestamp has the former only.
    """
    times = [event.timestamp for event in history if event.timestamp]
    newest = max(times, default=None)
    raw = []
    for steps_back, event in enumerate(reversed(history)):
        recency = weights.step_decay**steps_back
        if event.timestamp and newest:
            days = (newest - event.timestamp).total_seconds() / 86_400
            recency *= 0.5 ** (days / weights.half_life_days)
        says = strength(event)
        raw.append(recency * (says if says > 0 else weights.dislike * says))
    total = sum(map(abs, raw))
    return [weight / total for weight in reversed(raw)] if total else [0.0] * len(history)


def event_cues(history: Sequence[Event], weights: Weights) -> list[Cue]:
    """A cue for each event that still counts. `history` is oldest first."""
    shares = event_weights(history, weights)
    faint = _FAINT * max(map(abs, shares), default=0.0)
    return [
        Cue("event", event.ref, share, item_id=event.item_id)
        for event, share in zip(history, shares, strict=True)
        if abs(share) > faint
    ]


def attribute_cues(attributes: Mapping[str, AttributeValue]) -> list[Cue]:
    """A cue for each value of each attribute; every attribute counts the same."""
    return [
        Cue("attribute", name, 1 / (len(attributes) * len(values)), field=name, value=value, text=f"{name}: {text}")
        for name, said in attributes.items()
        for values in [buckets(said)]
        for value, text in zip(values, said if isinstance(said, list) else [plain(said)], strict=True)
    ]


def context_cues(context: Context) -> list[Cue]:
    """A cue for each field of the context; the time gives two, the part of the day and the kind of day."""
    texts, values = context.fields(), context_values(context)
    return [
        Cue("context", ref, 1 / len(values), field=name, value=value, text=f"{ref}: {texts[ref]}")
        for name, value in values.items()
        for ref in [name if name in texts else "time"]
    ]


def instruction_cues(instruction: str) -> list[Cue]:
    """One cue, or none for an empty instruction."""
    return [Cue("instruction", "instruction", 1.0, text=instruction)] if instruction.strip() else []


def buckets(value: AttributeValue) -> list[str]:
    """What people with this value are counted under: each word of a list, a number by its leading digit.

    >>> buckets(34), buckets(52_300), buckets("nurse"), buckets(["jazz", "folk"]), buckets(True)
    (['30'], ['50000'], ['nurse'], ['jazz', 'folk'], ['yes'])
    """
    if isinstance(value, list):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value == 0 or not math.isfinite(value):
        return [plain(value)]
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    return [plain(math.trunc(value / unit) * unit)]


def context_values(context: Context) -> dict[str, str]:
    """What a moment is counted under: `part of day`, `kind of day`, place, device and every other field."""
    found = {name: value for name, value in context.fields().items() if name != "time"}
    if context.time:
        found["part of day"] = _PARTS_OF_DAY[context.time.hour // _HOURS]
        found["kind of day"] = "weekend" if context.time.weekday() >= _SATURDAY else "weekday"
    return found
