"""Evidence → reason → check. Code picks the evidence, the model words it, code checks the words.

A sentence passes when all it says can be found in the evidence or in the item's own fields; one that does
not becomes a plain sentence built from the same evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from genrec.prompting import clean, days_ago, item_data
from genrec.types import Evidence, Reason
from retrieval.signals import strength
from retrieval.types import Candidate, Context, Contribution, Event, Item, User

_MOST_EVIDENCE = 2
_WEAKEST = 0.4
"""Evidence below this share of the strongest one is left out."""
_RECENT_DAYS = 30
_LONGEST = 240
_LONGEST_NAME = 120
_SHORTEST_WORDS = 4
_ECHO_WORDS = 6

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
_CLAIMS = {
    "rate": r"\brat(?:e|ed|ing)\b",
    "purchase": r"\b(?:bought|buy|purchased?)\b",
    "favorite": r"\bfavou?rited?\b",
    "click": r"\bclick(?:ed)?\b",
    "cart": r"\bcart\b",
}
"""Words that claim an event of a type."""

_MARKUP = re.compile(r"[<>*#`{}\[\]|\\_]|https?:|www\.|@", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCE = re.compile(r"(.+?[.!?])(?=\s|$)", re.DOTALL)


@dataclass(frozen=True)
class Cited:
    """A piece of evidence, the words that a sentence must contain to cite it, and the event type it claims."""

    evidence: Evidence
    about: str
    event_type: str | None = None


@dataclass(frozen=True)
class Facts:
    """What a reason may draw on: the item and what is cited.

    `others` are names that it may say only if they are in there (titles of other items, categories of the
    catalogue, the user's attributes); `instructions` is the system prompt, which must not leak into a reason.
    """

    item: Item
    cited: Sequence[Cited]
    others: Sequence[str]
    instructions: str


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
    citable = (c for c in candidate.contributions if c.value > 0 and (c.kind != "event" or c.ref in liked))
    positive = sorted(citable, key=lambda c: -c.value)
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


def _cite(part: Contribution, item: Item, world: World) -> Cited:
    """One part of a score in words that speak to the user."""
    event_type = None
    match part.kind:
        case "event":
            event = next(event for event in world.events if event.ref == part.ref)
            event_type, about = event.type, clean(world.title(event.item_id), _LONGEST_NAME)
            text = _did(event, about, world.now)
        case "attribute":
            about = clean(str(world.user.attributes[part.ref]), _LONGEST_NAME)
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
    return Cited(Evidence(type=part.kind, ref=part.ref, text=text, weight=round(part.value, 6)), about, event_type)


def _did(event: Event, title: str, now: datetime) -> str:
    verb = _VERBS.get(event.type, f"had a {clean(event.type, 40)} event for")
    rated = f" {event.value:g}" if event.type == "rate" and event.value is not None else ""
    days = days_ago(event, now)
    when = {None: "", 0: " today", 1: " yesterday"}.get(days, f" {days} days ago")
    return f"you {verb} {title}{rated}{when if days is None or days <= _RECENT_DAYS else ''}"


def make_reason(text: str, facts: Facts) -> tuple[Reason, str | None]:
    """The checked sentence, or a plain one and the cause why the model's did not pass."""
    sentence = first_sentence(text)
    cause = check(sentence, facts)
    return (plain_reason(facts.cited), cause) if cause else (Reason(text=sentence, source="llm"), None)


def first_sentence(text: str) -> str:
    """The first complete sentence without surrounding quotes, or all of a text that holds none."""
    text = " ".join(text.split()).strip("\"'“”‘’ ")
    found = _SENTENCE.match(text)
    return found.group(1) if found else text


def plain_reason(cited: Sequence[Cited]) -> Reason:
    """A sentence made of the evidence alone."""
    texts = [part.evidence.text for part in cited]
    return Reason(text=f"Because {' and '.join(texts)}.", source="template")


def check(sentence: str, facts: Facts) -> str | None:
    """None if the evidence and the item bear out the sentence, else what is wrong with it."""
    allowed = _allowed(facts)
    for problem in (
        _form(sentence, facts),
        _names(sentence, allowed, facts.others),
        _claims(sentence, facts),
    ):
        if problem:
            return problem
    return None if _cites(sentence, facts.cited) else "it cites none of the evidence"


def _form(sentence: str, facts: Facts) -> str | None:
    words = _WORD.findall(sentence)
    if len(words) < _SHORTEST_WORDS:
        return "it is no sentence"
    if not sentence.endswith((".", "!", "?")):
        return "it has no end"
    if len(sentence) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if found := _MARKUP.search(sentence):
        return f"it contains {found.group()!r}"
    system = " ".join(word.casefold() for word in _WORD.findall(facts.instructions))
    lowered = [word.casefold() for word in words]
    echoes = (" ".join(lowered[i : i + _ECHO_WORDS]) for i in range(len(words) - _ECHO_WORDS + 1))
    return "it repeats the instructions" if any(echo in system for echo in echoes) else None


def _allowed(facts: Facts) -> str:
    """Everything the sentence may draw on, as one text."""
    item = item_data(facts.item)
    attributes = (f"{name} {value}" for name, value in item["attributes"].items())
    price = "" if facts.item.price is None else f"{facts.item.price:g} {facts.item.price:.2f}"
    parts = [item["title"], item["description"], *item["categories"], *attributes, price]
    return " \n ".join([*parts, *(part.evidence.text for part in facts.cited)])


def _names(sentence: str, allowed: str, others: Iterable[str]) -> str | None:
    """Numbers, capitalised words, titles, categories and attributes must be among what is allowed."""
    known = {word.casefold() for word in _WORD.findall(allowed)}
    numbers = set(_NUMBER.findall(allowed))
    for number in _NUMBER.findall(sentence):
        if number not in numbers:
            return f"the number {number} is not in the evidence"
    for word in _WORD.findall(sentence)[1:]:
        if word[0].isupper() and word != "I" and _stem(word) not in known:
            return f"the name {word!r} is not in the evidence"
    lowered, known_text = f" {_plain(sentence)} ", f" {_plain(allowed)} "
    for name in others:
        if (phrase := f" {_plain(name)} ") in lowered and phrase.strip() and phrase not in known_text:
            return f"{name!r} is not in the evidence"
    return None


def _claims(sentence: str, facts: Facts) -> str | None:
    """What the user did must be what the evidence says they did."""
    types = {part.event_type for part in facts.cited}
    for kind, words in _CLAIMS.items():
        if kind not in types and re.search(words, sentence, re.IGNORECASE):
            return f"no {kind} event is in the evidence"
    return None


def _cites(sentence: str, cited: Sequence[Cited]) -> bool:
    """True if the sentence contains the words of at least one piece of evidence."""
    said = set(_plain(sentence).split())
    return any(about <= said for part in cited if (about := set(_plain(part.about).split())))


def _stem(word: str) -> str:
    return re.sub(r"['’]s$", "", word.casefold())


def _plain(text: str) -> str:
    return " ".join(_stem(word) for word in _WORD.findall(text))
