"""Evidence → reason → check. Code picks the evidence, the model words it, code checks the words (`grounding`).

A sentence that does not pass becomes a plain one built from the same evidence, marked as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from genrec.grounding import Facts, Names, check, first_sentence
from genrec.prompting import Messages, Pack, clean, days_ago, item_data
from genrec.types import Evidence, Reason
from genrec.wording import Language, wording
from retrieval.cues import strength
from retrieval.types import Candidate, Context, Contribution, ContributionKind, Event, Item, User, plain

_MOST_EVIDENCE = 2
_WEAKEST = 0.4
"""Evidence below this share of the strongest one is left out."""
_RECENT_DAYS = 30
_OF_OTHERS = "popularity"
_LONGEST_NAME = 120
_ENDS = ".!?…。！？"


@dataclass(frozen=True)
class Cited:
    """A piece of evidence, the words that a sentence must contain to cite it, and how it speaks for the item."""

    evidence: Evidence
    about: str
    link: str = ""


@dataclass(frozen=True)
class Cause:
    """Everything that one thing (an event, an attribute, ...) adds to a score, and the signal that adds most of it."""

    kind: ContributionKind
    ref: str
    value: float
    signal: str


@dataclass(frozen=True)
class World:
    """What evidence is worded with: the request, items by their ids, how many users took one, the day, the language.

    `events` are those that a prompt may show, `fields` the attributes of the user: a reason cites no others. None
    allows all attributes.
    """

    user: User
    events: Sequence[Event]
    context: Context
    instruction: str
    item: Callable[[str], Item]
    takers: Callable[[str], int]
    now: datetime
    language: Language
    fields: frozenset[str] | None = None

    def may_cite(self, kind: ContributionKind, ref: str) -> bool:
        """Events that speak for their item, and attributes that may be shown."""
        if kind == "event":
            return ref in self._by_ref and strength(self._by_ref[ref]) > 0
        return kind != "attribute" or self.fields is None or ref in self.fields

    def event(self, ref: str) -> Event:
        """Raises KeyError where it is none of those that a prompt may show."""
        return self._by_ref[ref]

    @cached_property
    def _by_ref(self) -> dict[str, Event]:
        return {event.ref: event for event in reversed(self.events)}


def pick_evidence(candidate: Candidate, world: World) -> tuple[Cited, ...]:
    """The strongest parts of the candidate's score that speak for it, strongest first; at least one.

    What the user did, said and is comes before what others did.
    """
    parts = by_cause(candidate.contributions)
    citable = (part for part in parts if part.value > 0 and world.may_cite(part.kind, part.ref))
    positive = sorted(citable, key=lambda part: -part.value)
    personal = [c for c in positive if c.kind != "item"]
    strong = [c for c in personal if c.value >= _WEAKEST * personal[0].value]
    by_title: dict[str, Cited] = {}
    for part in strong or positive[:1]:
        cited = cite(part, candidate.item, world)
        by_title.setdefault(cited.about, cited)
    return tuple(by_title.values())[:_MOST_EVIDENCE] or (_unknown(candidate.item, world.language),)


def by_cause(contributions: Sequence[Contribution]) -> list[Cause]:
    """The parts of a score with what all signals say because of one thing added up.

    What others took, at all and lately, is one thing.
    """
    grouped: dict[tuple[ContributionKind, str], list[Contribution]] = {}
    for part in contributions:
        grouped.setdefault((part.kind, _OF_OTHERS if part.kind == "item" else part.ref), []).append(part)
    return [
        Cause(kind, ref, sum(part.value for part in parts), max(parts, key=lambda part: part.value).signal)
        for (kind, ref), parts in grouped.items()
    ]


def by_signal(candidate: Candidate) -> dict[str, float]:
    """What each signal adds to a candidate's score; the parts sum to it."""
    found: defaultdict[str, float] = defaultdict(float)
    for part in candidate.contributions:
        found[part.signal] += part.value
    return dict(found)


def cite(cause: Cause, item: Item, world: World) -> Cited:
    """One cause of a score in words that speak to the user."""
    words, link = wording(world.language), ""
    match cause.kind:
        case "event":
            event = world.event(cause.ref)
            past = world.item(event.item_id)
            about = clean(past.title, _LONGEST_NAME)
            days = days_ago(event, world.now)
            recent = days if days is not None and days <= _RECENT_DAYS else None
            text = words.event(clean(event.type, 40), about, event.value, recent)
            link = words.link(cause.signal, _shared_category(past, item))
        case "attribute":
            about = clean(plain(world.user.attributes[cause.ref]), _LONGEST_NAME)
            text = words.fact(clean(cause.ref, 60), about)
        case "context":
            about = clean(world.context.fields()[cause.ref], _LONGEST_NAME)
            text = words.fact(clean(cause.ref, 60), about)
        case "instruction":
            about = clean(world.instruction, _LONGEST_NAME)
            text = words.instruction(about)
        case "item":
            text = about = words.takers(world.takers(item.item_id))
    evidence = Evidence(type=cause.kind, ref=cause.ref, text=text, weight=round(cause.value, 6), signal=cause.signal)
    return Cited(evidence, about, link)


def _unknown(item: Item, language: Language) -> Cited:
    """Nothing known of anybody: the item's own title is all that can be cited."""
    title = clean(item.title, _LONGEST_NAME)
    text = wording(language).listed(title)
    return Cited(Evidence(type="item", ref="title", text=text, weight=0.0, signal="none"), title)


def _shared_category(past: Item, item: Item) -> str:
    """The last category that both are in, which is the narrowest where they are listed from broad to narrow."""
    shared = [category for category in item.categories if category in past.categories]
    return clean(shared[-1], 60) if shared else ""


def alike(candidate: Candidate, language: Language = "en") -> list[str]:
    """Why an item is similar to another, in words: the strongest parts of its score, strongest first."""
    positive = sorted((part for part in candidate.contributions if part.value > 0), key=lambda part: -part.value)
    strong = [part for part in positive if part.value >= _WEAKEST * positive[0].value][:_MOST_EVIDENCE]
    return [wording(language).alike(part.signal) for part in strong]


def reason_messages(pack: Pack, item: Item, cited: Sequence[Evidence], language: Language) -> Messages:
    """The prompt for a reason, which may begin the sentence. Raises PromptError as `Pack.render`."""
    words, data = wording(language), item_data(item)
    opening = words.opening([part.text for part in cited], data["title"])
    evidence = [part.model_dump() for part in cited]
    return pack.render(
        "explain", {"item": data, "evidence": evidence, "opening": opening, "language": words.name}, language
    )


def facts_of(
    item: Item, cited: Sequence[Cited], names: Sequence[Names], instructions: str, language: Language
) -> Facts:
    """What a reason for `item` may draw on: the evidence, and the item as the prompt shows it."""
    data = item_data(item)
    attributes = [f"{name.replace('_', ' ')} {value}" for name, value in data["attributes"].items()]
    price = [] if item.price is None else [f"{item.price:g} {item.price:.2f}"]
    return Facts(
        evidence=[f"{part.evidence.text}, {part.link}" if part.link else part.evidence.text for part in cited],
        about=[part.about for part in cited],
        item=[data["title"], data["description"], *data["categories"], *attributes, *price],
        names=names,
        instructions=instructions,
        language=language,
    )


def make_reason(text: str, cited: Sequence[Cited], facts: Facts, *, beginning: str = "") -> tuple[Reason, str | None]:
    """The checked sentence, or a plain one and the cause why the model's did not pass.

    `beginning` is the part of `text` that the template wrote: the sentence ends behind it. Where the model only ended
    it, none of the words are the model's: that is a plain reason, and nothing was refused.
    """
    sentence = first_sentence(text, beginning)
    if beginning and sentence.endswith(tuple(_ENDS)) and sentence.rstrip(_ENDS) == beginning.rstrip(_ENDS):
        return plain_reason(cited, facts.language), None
    cause = check(sentence, facts)
    if cause:
        return plain_reason(cited, facts.language), cause
    return Reason(text=sentence, source="llm"), None


def plain_reason(cited: Sequence[Cited], language: Language) -> Reason:
    """A sentence made of the evidence alone."""
    texts, links = [part.evidence.text for part in cited], [part.link for part in cited]
    return Reason(text=wording(language).reason(texts, links), source="template")
