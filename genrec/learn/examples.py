"""Training examples: the prompt that would have been served just before a take, and what of it was taken in the end.

Candidates come from the retriever as it was then. Where the item was taken from a list that genrec had served, that
list comes first: what else was in it was seen and not wanted. Nothing is put in: what the retriever does not list, the
model is never asked about. At some of these moments a reason is asked for, too.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from genrec.config import Config
from genrec.errors import DataError
from genrec.learn.replay import Moment, Take, Timeline
from genrec.learn.sentences import Occasion, Sentence, kept_sentences, occasion_of
from genrec.parts import Status
from genrec.prompting import Messages, Pack, Subject
from genrec.ranking import LABELS, assign_labels
from genrec.store import Store
from genrec.types import ShownReason
from genrec.wording import Language
from retrieval import Candidate, Encoder, Item, Weights
from retrieval.cues import strength
from retrieval.types import AttributeValue

WARM_UP = 0.2
"""The share of all events that a retriever knows before it is asked: one that knows less gives candidates at random."""

_BY_TITLE = 0.5
"""The share of those who ask in words that name the title."""

_SAID = 50
"""Takes from one line about progress to the next."""

Part = Literal["training", "validation", "gate"]
PARTS: tuple[Part, ...] = get_args(Part)

Served = Mapping[str, Sequence[str]]
"""The items of the list that an event answered, by the event's id."""


class Sampling(BaseModel):
    """Which takes become examples, and in how many forms.

    `candidates`, `history` and `language` are those of the prompts, as in `Config`. Takes in the last share `later` of
    all events are for judging. The share `held_back` of all users is for the gate alone. `most` caps the takes of
    training, `judged` those of validation and of the gate, each by itself; those whose lists hold nothing that was
    taken are left out.
    Of each training example there are `forms`: the first as it is served, the others with the candidates in another
    order, and each attribute and each event but the last left out with the probability `dropout`. In the share `asked`
    of these others the person asks in words for something that they took, by its title or by one of its categories. At
    most `reasons` are learned from, and asked for by the gate. Before all this a model learns to read, from so many
    `readings`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: int = Field(default=20, ge=2, le=len(LABELS))
    history: int = Field(default=10, ge=1)
    language: Language = "en"
    later: float = Field(default=0.2, gt=0, lt=1 - WARM_UP)
    held_back: float = Field(default=0.3, gt=0, lt=1)
    most: int = Field(default=2000, ge=1)
    judged: int = Field(default=500, ge=1)
    forms: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    asked: float = Field(default=0.8, ge=0, le=1)
    reasons: int = Field(default=60, ge=0)
    readings: int = Field(default=160, ge=0)
    seed: int = 0

    def holds_back(self, user_id: str) -> bool:
        """Whether a user is for the gate alone."""
        return random.Random(f"{self.seed} {user_id}").random() < self.held_back

    def config(self) -> Config:
        """How a recommender serves these prompts."""
        return Config(candidates=self.candidates, history=self.history, language=self.language)


@dataclass(frozen=True)
class Prompt:
    """What the model is asked, and for how many labels."""

    messages: Messages
    labels: int


@dataclass(frozen=True)
class Example:
    """A prompt, and the places of what was taken then or later, until the part ends: at least one.

    `retrieval` is the retriever's score behind each label. `sought`: how many items were taken, in this list or not.
    `left`: the places of what was in the list that was served, and that the user never took.
    """

    prompt: Prompt

    user_id: str
    attributes: Mapping[str, AttributeValue]
    time: datetime | None
    retrieval: tuple[float, ...]
    taken: tuple[int, ...]
    sought: int
    left: tuple[int, ...] = ()


@dataclass(frozen=True)
class Examples:
    """`training` and `validation` are of the same users, the latter later; `gate` is of others, later too.

    `kept`: reasons that were shown, of anybody but those of the gate. `occasions` for reasons are of `training`, those
    `held_back` of `gate`. `items`: the catalogue.
    """

    training: Sequence[Example]
    validation: Sequence[Example]
    gate: Sequence[Example]
    kept: Sequence[Sentence] = ()
    occasions: Sequence[Occasion] = ()
    held_back: Sequence[Occasion] = ()
    items: Sequence[Item] = ()

    @property
    def users(self) -> list[str]:
        """Everybody whom an adapter sees, in training or by choosing when that ends."""
        return sorted({seen.user_id for seen in self._seen})

    @property
    def times(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of what an adapter sees happened; None where nobody knows."""
        times = [seen.time for seen in self._seen if seen.time]
        return (min(times), max(times)) if times else None

    @property
    def _seen(self) -> Sequence[Example | Sentence]:
        return (*self.training, *self.validation, *self.kept)


def build_examples(
    store: Store,
    packs: Sequence[Pack],
    sampling: Sampling,
    *,
    encoder: str | Encoder,
    weights: Weights | None = None,
    served: Served | None = None,
    shown: Sequence[ShownReason] = (),
    status: Status = lambda _: None,
) -> Examples:
    """Replay a store and make examples of its takes; the same arguments give the same examples.

    `packs`: the first one serves; the forms of training examples go through all of them in turn, so that the others
    are paraphrases. `shown`: reasons that a model gave.

    Raises:
        DataError: nothing to train on, or nothing to judge by.
    """
    timeline = Timeline(store)
    takes = timeline.takes()
    drawn = _draw(takes, sampling)
    answered, wanted, coming = served or {}, _wanted(store), _coming(takes, drawn, sampling)
    asked = {part: _some([take for take in drawn if drawn[take] == part], sampling) for part in PARTS}
    parts: dict[Part, list[Example]] = {part: [] for part in PARTS}
    occasions: dict[Part, list[Occasion]] = {part: [] for part in PARTS}
    for number, moment in enumerate(timeline.replay(list(drawn), encoder, weights, status)):
        if number % _SAID == 0:
            status(f"making examples: {number} of {len(drawn)} takes")
        part = drawn[moment.take]
        event = moment.take.event
        seen = answered.get(event.event_id or "", ())
        making = _Making(moment, sampling, packs, seen, wanted[event.user_id], coming[moment.take])
        parts[part] += making.forms(sampling.forms if part == "training" else 1)
        if moment.take in asked[part]:
            occasions[part] += making.occasions()
    if empty := [part for part, found in parts.items() if not found]:
        raise DataError(
            f"of {len(drawn)} lists none for {empty[0]} holds anything that was taken: gather more events, or list "
            f"more candidates than {sampling.candidates}"
        )
    kept = kept_sentences(shown, store, packs[0], sampling.language, sampling.holds_back)
    kept = random.Random(sampling.seed).sample(kept, min(len(kept), sampling.reasons))
    return Examples(**parts, kept=kept, occasions=occasions["training"], held_back=occasions["gate"], items=store.items)


def _wanted(store: Store) -> Mapping[str, Set[str]]:
    """Everything that each user ever took."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for event in store.events:
        if strength(event) > 0:
            found[event.user_id].add(event.item_id)
    return found


def _coming(takes: Sequence[Take], drawn: Container[Take], sampling: Sampling) -> Mapping[Take, Set[str]]:
    """What each user took from each drawn take on: until judging begins, or from then on."""
    found: dict[Take, Set[str]] = {}
    ahead: defaultdict[tuple[str, bool], set[str]] = defaultdict(set)
    for _, group in groupby(reversed(takes), key=lambda take: take.before):
        places = {take: (take.event.user_id, take.when >= 1 - sampling.later) for take in group}
        for take, place in places.items():
            ahead[place].add(take.event.item_id)
        found |= {take: frozenset(ahead[place]) for take, place in places.items() if take in drawn}
    return found


def _some(takes: Sequence[Take], sampling: Sampling) -> set[Take]:
    """Those at which a reason is asked for."""
    return set(random.Random(sampling.seed).sample(takes, min(len(takes), sampling.reasons)))


def _draw(takes: Sequence[Take], sampling: Sampling) -> dict[Take, Part]:
    """The part of each take that becomes an example, oldest first."""
    users = sorted({take.event.user_id for take in takes})
    held = {user for user in users if sampling.holds_back(user)}
    parts: dict[Part, list[Take]] = {part: [] for part in PARTS}
    for take in takes:
        if take.when >= 1 - sampling.later:
            parts["gate" if take.event.user_id in held else "validation"].append(take)
        elif take.when >= WARM_UP and take.event.user_id not in held:
            parts["training"].append(take)
    for part, found in parts.items():
        if not found:
            raise DataError(f"no takes are left for {part}, of {len(takes)} by {len(users)} users: gather more events")
    draw = random.Random(sampling.seed)
    caps = {part: sampling.most if part == "training" else sampling.judged for part in PARTS}
    drawn = {take: part for part in PARTS for take in draw.sample(parts[part], min(len(parts[part]), caps[part]))}
    return dict(sorted(drawn.items(), key=lambda pair: pair[0].before))


class _Making:
    """The examples of one moment."""

    def __init__(
        self,
        moment: Moment,
        sampling: Sampling,
        packs: Sequence[Pack],
        served: Sequence[str],
        wanted: Set[str],
        coming: Set[str],
    ) -> None:
        """`served`: the list that the take answered. `wanted`: everything that the user ever took; `coming`: from then
        on."""
        self._event, self._sampling, self._packs = moment.take.event, sampling, packs
        self._scene = moment.scene(sampling.config(), sampling.candidates)
        self._listed = moment.retriever.retrieve(self._scene.query, sampling.candidates)
        self._candidates = self._choose(moment, served)
        self._left, self._coming = set(served) - wanted, coming

    def forms(self, count: int) -> Iterator[Example]:
        """The example as it would have been served, then others; none where the list holds nothing that was taken."""
        taken = [candidate.item for candidate in self._candidates if candidate.item.item_id in self._coming]
        if not taken:
            return
        subject, seed = self._scene.subject(self._sampling.candidates), self._scene.seed
        yield self._example(subject, seed, self._packs[0], taken)
        for number in range(1, count):
            draw = random.Random(f"{seed} {number}")
            pack, thinned = self._packs[number % len(self._packs)], self._thinned(subject, draw)
            if draw.random() < self._sampling.asked:
                words, meant = _asked(taken, draw)
                yield self._example(replace(thinned, instruction=words), draw.getrandbits(32), pack, meant)
            else:
                yield self._example(thinned, draw.getrandbits(32), pack, taken)

    def occasions(self) -> Iterator[Occasion]:
        """The reason that would have been asked for then; none where nothing was listed."""
        if self._listed:
            yield occasion_of(self._scene, self._listed, self._packs[0], self._sampling.history, self._event.timestamp)

    def _choose(self, moment: Moment, served: Sequence[str]) -> list[Candidate]:
        """What was served, then what the retriever listed: as many as a prompt holds, best first."""
        known = {candidate.item.item_id: candidate for candidate in self._listed}
        chosen = list(dict.fromkeys([*served, *known]))[: self._sampling.candidates]
        added = moment.retriever.score(self._scene.query, [item_id for item_id in chosen if item_id not in known])
        known |= {candidate.item.item_id: candidate for candidate in added}
        return sorted((known[item_id] for item_id in chosen), key=lambda candidate: -candidate.score)

    def _thinned(self, subject: Subject, draw: random.Random) -> Subject:
        """The same with some attributes and some events left out, never the last event."""
        kept = [event for event in subject.history[:-1] if draw.random() >= self._sampling.dropout]
        attributes = {
            name: value for name, value in subject.user.attributes.items() if draw.random() >= self._sampling.dropout
        }
        user = subject.user.model_copy(update={"attributes": attributes})
        return replace(subject, user=user, history=[*kept, subject.history[-1]])

    def _example(self, subject: Subject, seed: int, pack: Pack, taken: Sequence[Item]) -> Example:
        window = assign_labels(self._candidates, seed)
        items = {label: candidate.item for label, candidate in window.items()}
        ids = [item.item_id for item in items.values()]
        messages = pack.render("rank", subject.data(items, self._sampling.history), self._scene.language)
        return Example(
            prompt=Prompt(messages, len(ids)),
            user_id=self._event.user_id,
            attributes=self._scene.user.attributes,
            time=self._event.timestamp,
            retrieval=tuple(candidate.score for candidate in window.values()),
            taken=tuple(ids.index(item.item_id) for item in taken),
            sought=len(self._coming),
            left=tuple(place for place, item_id in enumerate(ids) if item_id in self._left),
        )


def _asked(taken: Sequence[Item], draw: random.Random) -> tuple[str, Sequence[Item]]:
    """Words for something that was taken, and all of what was taken that they fit."""
    item = draw.choice(taken)
    if not item.categories or draw.random() < _BY_TITLE:
        return item.title, [item]
    category = draw.choice(item.categories)
    return category, [other for other in taken if category in other.categories]
