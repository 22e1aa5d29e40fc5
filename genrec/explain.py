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
from retrieval.types import Candidate, Context, Contribution, Event, Item, User

_MOST_EVIDENCE = 2
_WEAKEST = 0.4
"""Evidence below this share of the strongest one is left out."""
_RECENT_DAYS = 30
_LONGEST = 240
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
class Facts:
    """What a reason may say (`item`, `evidence`), and names that it may say only if they are in there.

    Args:
        others: titles of other candidates and past items, categories of the catalogue, the user's attributes.
        instructions: the system prompt, which must not leak into a reason.
    """

    item: Item
    evidence: Sequence[Evidence]
    types: frozenset[str]
    others: Sequence[str]
    instructions: str


def pick_evidence(
    candidate: Candidate, user: User, history: Sequence[Event], context: Context, instruction: str, world: World
) -> tuple[Evidence, ...]:
    """The strongest parts of the candidate's score that speak for it, strongest first; at least one."""
    positive = sorted((c for c in candidate.contributions if c.value > 0), key=lambda c: -c.value)
    personal = [c for c in positive if c.kind != "item"]
    chosen = [c for c in personal if c.value >= _WEAKEST * personal[0].value][:_MOST_EVIDENCE] or positive[:1]
    events = {event.ref: event for event in history}
    texts = _Texts(user, events, context, instruction, world)
    found = {c.ref: c for c in reversed(chosen)}
    evidence = [
        Evidence(type=c.kind, ref=c.ref, text=texts.of(candidate.item, c), weight=round(c.value, 6))
        for c in reversed(found.values())
    ]
    return tuple(evidence) or (_catalogue(candidate.item),)


@dataclass(frozen=True)
class World:
    """What evidence is worded with: titles of items, how many users took an item, and what day it is."""

    title: Callable[[str], str]
    takers: Callable[[str], int]
    now: datetime


@dataclass(frozen=True)
class _Texts:
    user: User
    events: dict[str, Event]
    context: Context
    instruction: str
    world: World

    def of(self, item: Item, part: Contribution) -> str:
        """One piece of evidence in words that speak to the user."""
        match part.kind:
            case "event":
                return self._event(self.events[part.ref])
            case "attribute":
                return f"your {part.ref} is {clean(str(self.user.attributes[part.ref]), 120)}"
            case "context":
                return f"your {part.ref} is {clean(self.context.fields()[part.ref], 120)}"
            case "instruction":
                return f"you asked for {clean(self.instruction, 120)}"
            case "item":
                takers = self.world.takers(item.item_id)
                return f"{takers} {'person' if takers == 1 else 'people'} chose it"

    def _event(self, event: Event) -> str:
        verb = _VERBS.get(event.type, f"had a {clean(event.type, 40)} event for")
        rated = f" {event.value:g}" if event.type == "rate" and event.value is not None else ""
        days = days_ago(event, self.world.now)
        when = "" if days is None or days > _RECENT_DAYS else " today" if days == 0 else f" {days} days ago"
        when = when.replace(" 1 days ago", " yesterday") if days == 1 else when
        return f"you {verb} {clean(self.world.title(event.item_id), 120)}{rated}{when}"


def _catalogue(item: Item) -> Evidence:
    """Where nothing is known of anybody, the item's own title is all that can be cited."""
    return Evidence(type="item", ref="title", text=f"{clean(item.title, 120)} is in the catalogue", weight=0.0)


def make_reason(text: str, facts: Facts) -> tuple[Reason, str | None]:
    """The checked sentence, or a plain one and the cause why the model's did not pass."""
    sentence = first_sentence(text)
    cause = check(sentence, facts)
    return (plain_reason(facts.evidence), cause) if cause else (Reason(text=sentence, source="llm"), None)


def first_sentence(text: str) -> str:
    """The first complete sentence without surrounding quotes, or all of a text that holds none."""
    text = " ".join(text.split()).strip("\"'“”‘’ ")
    found = _SENTENCE.match(text)
    return found.group(1) if found else text


def plain_reason(evidence: Sequence[Evidence]) -> Reason:
    """A sentence made of the evidence alone."""
    texts = [part.text for part in evidence]
    return Reason(text=f"Because {' and '.join(texts)}.", source="template")


def check(sentence: str, facts: Facts) -> str | None:
    """None if the evidence and the item bear out the sentence, else what is wrong with it."""
    allowed = _allowed(facts)
    for problem in (_form(sentence, facts), _names(sentence, allowed, facts.others), _claims(sentence, facts)):
        if problem:
            return problem
    return None if _cites(sentence, facts.evidence) else "it cites none of the evidence"


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
    return " \n ".join([*parts, *(part.text for part in facts.evidence)])


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
    for kind, words in _CLAIMS.items():
        if kind not in facts.types and re.search(words, sentence, re.IGNORECASE):
            return f"no {kind} event is in the evidence"
    return None


def _cites(sentence: str, evidence: Sequence[Evidence]) -> bool:
    """True if the sentence says what at least one piece of evidence is about."""
    said = {_stem(word) for word in _WORD.findall(sentence)}
    return any(
        about <= said
        for part in evidence
        if (about := {_stem(word) for word in _WORD.findall(_about(part))})
    )


def _about(part: Evidence) -> str:
    """The words that a sentence must contain to cite a piece of evidence: its title or its value."""
    match part.type:
        case "event":
            core = re.sub(r"(?: (?:\d+(?:\.\d+)?|today|yesterday|\d+ days ago))+$", "", part.text)
            verbs = "|".join([*map(re.escape, _VERBS.values()), "had a .+ event for"])
            return re.sub(rf"^you (?:{verbs}) ", "", core)
        case "attribute" | "context":
            return part.text.partition(" is ")[2]
        case "instruction":
            return part.text.removeprefix("you asked for ")
        case "item":
            return part.text


def _stem(word: str) -> str:
    return re.sub(r"['’]s$", "", word.casefold())


def _plain(text: str) -> str:
    return " ".join(_stem(word) for word in _WORD.findall(text))
