"""Evidence → reason → check. Code picks the evidence, the model words it, code checks the words (`grounding`).

A sentence that does not pass becomes a plain one built from the same evidence, marked as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from genrec.grounding import Facts, check, first_sentence
from genrec.prompting import clean, days_ago, item_data
from genrec.types import Evidence, Reason
from retrieval.cues import strength
from retrieval.types import Candidate, Context, Contribution, Event, Item, User, plain

_MOST_EVIDENCE = 2
_WEAKEST = 0.4
"""Evidence below this share of the strongest one is left out."""
_RECENT_DAYS = 30
_LONGEST_NAME = 120

_VERBS = {
    "view": "viewed",
    "click": "clicked on",
    "play": "played",
    "favorite": "favorited",
    "cart": "put in your cart",
    "purchase": "bought",
    "rate": "rated",
    "dismiss": "dismissed",
}


@dataclass(frozen=True)
class Cited:
    """A piece of evidence, and the words that a sentence must contain to cite it."""

    evidence: Evidence
    about: str


@dataclass(frozen=True)
class World:
    """What evidence is worded with: the request, titles of items, how many users took an item, the day.

    `events` are those that the prompt shows: a reason cites no other.
    """

    user: User
    events: Sequence[Event]
    context: Context
    instruction: str
    title: Callable[[str], str]
    takers: Callable[[str], int]
    now: datetime


def pick_evidence(candidate: Candidate, world: World) -> tuple[Cited, ...]:
    """The strongest parts of the candidate's score that speak for it, strongest first; at least one.

    What the user did, said and is comes before what others did.
    """
    liked = {event.ref for event in world.events if strength(event) > 0}
    parts = by_cause(candidate.contributions)
    citable = (part for part in parts if part.value > 0 and (part.kind != "event" or part.ref in liked))
    positive = sorted(citable, key=lambda part: -part.value)
    personal = [c for c in positive if c.kind != "item"]
    strong = [c for c in personal if c.value >= _WEAKEST * personal[0].value]
    by_title: dict[str, Cited] = {}
    for part in strong or positive[:1]:
        cited = _cite(part, candidate.item, world)
        by_title.setdefault(cited.about, cited)
    # Nothing known of anybody: the item's own title is all that can be cited.
    title = clean(candidate.item.title, _LONGEST_NAME)
    unknown = Evidence(type="item", ref="title", text=f"{title} is in the catalogue", weight=0.0)
    return tuple(by_title.values())[:_MOST_EVIDENCE] or (Cited(unknown, title),)


def by_cause(contributions: Sequence[Contribution]) -> list[Contribution]:
    """The parts of a score with what all signals say because of one thing added up."""
    found: dict[tuple[str, str], Contribution] = {}
    for part in contributions:
        key = (part.kind, part.ref)
        value = part.value + (found[key].value if key in found else 0.0)
        found[key] = part.model_copy(update={"value": value})
    return list(found.values())


def _cite(part: Contribution, item: Item, world: World) -> Cited:
    """One part of a score in words that speak to the user."""
    match part.kind:
        case "event":
            event = next(event for event in world.events if event.ref == part.ref)
            about = clean(world.title(event.item_id), _LONGEST_NAME)
            text = _did(event, about, world.now)
        case "attribute":
            about = clean(plain(world.user.attributes[part.ref]), _LONGEST_NAME)
            text = f"your {clean(part.ref, 60)} is {about}"
        case "context":
            about = clean(world.context.fields()[part.ref], _LONGEST_NAME)
            text = f"your {clean(part.ref, 60)} is {about}"
        case "instruction":
            about = clean(world.instruction, _LONGEST_NAME)
            text = f"you asked for {about}"
        case "item":
            takers = world.takers(item.item_id)
            text = about = f"{takers} {'person' if takers == 1 else 'people'} chose it"
    return Cited(Evidence(type=part.kind, ref=part.ref, text=text, weight=round(part.value, 6)), about)


_ALIKE = {
    "semantic": "the text means much the same",
    "lexical": "the titles share words",
    "category": "they are in the same categories",
    "together": "the same people took both",
}


def alike(candidate: Candidate) -> list[str]:
    """Why an item is similar to another, in words: the strongest parts of its score, strongest first."""
    positive = sorted((part for part in candidate.contributions if part.value > 0), key=lambda part: -part.value)
    strong = [part for part in positive if part.value >= _WEAKEST * positive[0].value][:_MOST_EVIDENCE]
    return [_ALIKE[part.signal] for part in strong]


def _did(event: Event, title: str, now: datetime) -> str:
    """`15 days ago you rated Amelie 5`."""
    verb = _VERBS.get(event.type, f"had a {clean(event.type, 40)} event for")
    rated = f" {event.value:g}" if event.type == "rate" and event.value is not None else ""
    days = days_ago(event, now)
    if days is None or days > _RECENT_DAYS:
        return f"you {verb} {title}{rated}"
    when = {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
    return f"{when} you {verb} {title}{rated}"


def facts_of(item: Item, cited: Sequence[Cited], names: Sequence[str], instructions: str) -> Facts:
    """What a reason for `item` may draw on: the evidence, and the item as the prompt shows it."""
    data = item_data(item)
    attributes = [f"{name} {value}" for name, value in data["attributes"].items()]
    price = [] if item.price is None else [f"{item.price:g} {item.price:.2f}"]
    return Facts(
        evidence=[part.evidence.text for part in cited],
        about=[part.about for part in cited],
        item=[data["title"], data["description"], *data["categories"], *attributes, *price],
        names=names,
        instructions=instructions,
    )


def make_reason(text: str, cited: Sequence[Cited], facts: Facts, *, beginning: str = "") -> tuple[Reason, str | None]:
    """The checked sentence, or a plain one and the cause why the model's did not pass.

    `beginning` is the part of `text` that the template wrote: the sentence ends behind it.
    """
    sentence = first_sentence(text, beginning)
    cause = check(sentence, facts)
    return (plain_reason(cited), cause) if cause else (Reason(text=sentence, source="llm"), None)


def plain_reason(cited: Sequence[Cited]) -> Reason:
    """A sentence made of the evidence alone."""
    texts = [part.evidence.text for part in cited]
    return Reason(text=f"Because {' and '.join(texts)}.", source="template")
