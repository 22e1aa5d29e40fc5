"""Who asks, what they did, where they are now: what every step of a request looks at."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from genrec.calibration import Calibration
from genrec.config import Config
from genrec.deadline import Deadline
from genrec.engine import Engine, measured_weight
from genrec.explain import World
from genrec.grounding import Names, names_of
from genrec.prompting import Pack, Subject
from genrec.reasons import ReasonCache
from genrec.store import Store
from genrec.types import ModelShare
from genrec.wording import Language, Wording, wording
from retrieval import Context, Event, Filter, Item, Query, Retriever, User

UNMEASURED_WEIGHT = 0.5
"""Of a model that nobody measured."""


@dataclass(frozen=True)
class Setup:
    """What all requests of a recommender share."""

    store: Store
    retriever: Retriever
    pack: Pack
    engine: Engine
    config: Config
    calibration: Calibration
    reasons: ReasonCache
    model_weight: float | None
    """The fitted share of the model, None where nobody fitted it."""

    def scene(self, ask: Ask) -> Scene:
        """The request with the user and the history that belong to it. Raises NotFound for an unknown user."""
        return Scene(self.store, self.retriever, self.config, ask)

    def deadline(self, ask: Ask) -> Deadline:
        """The time that this request has, from now on."""
        return Deadline(self.config.deadline_s if ask.deadline_s is None else ask.deadline_s)

    @property
    def model_share(self) -> ModelShare:
        """The model's share in the fused score: as configured, as fitted, as measured, or half of it."""
        if self.config.model_weight is not None:
            return ModelShare(weight=self.config.model_weight, origin="configured")
        if self.model_weight is not None:
            return ModelShare(weight=self.model_weight, origin="fitted")
        measured = measured_weight(self.engine.model)
        if measured is not None:
            return ModelShare(weight=measured, origin="measured")
        return ModelShare(weight=UNMEASURED_WEIGHT, origin="assumed")


@dataclass(frozen=True)
class Ask:
    """What somebody wants: n items for a user, here and now.

    Without `profiling` nothing of the user's history and attributes is used, and the user need not be known.
    `deadline_s` is the time that is left; None is the configuration's.
    """

    user_id: str
    n: int = 1
    context: Context = field(default_factory=Context)
    instruction: str = ""
    filter: Filter = field(default_factory=Filter)
    language: Language | None = None
    profiling: bool = True
    deadline_s: float | None = None


def seed_of(config: Config, ask: Ask) -> int:
    """What is drawn for a request follows from this: the same request is answered alike."""
    who = ask.user_id if ask.profiling else None
    about = (config.seed, who, ask.instruction, ask.context.fields())
    return zlib.crc32(repr(about).encode("utf-8", "surrogatepass"))


class Scene:
    """One request, with the user and the history that belong to it. Raises NotFound for an unknown user."""

    def __init__(self, store: Store, retriever: Retriever, config: Config, ask: Ask) -> None:
        self.store, self.retriever, self._policy = store, retriever, config.policy
        self.ask = ask
        self.user = store.user(ask.user_id) if ask.profiling else User(user_id=ask.user_id)
        self.history = store.history(ask.user_id) if ask.profiling else ()
        self.now = ask.context.time or datetime.now(UTC)
        self.language: Language = ask.language or config.language
        self.seed = seed_of(config, ask)

    @property
    def query(self) -> Query:
        """What retrieval is asked."""
        ask, policy = self.ask, self._policy.model_copy(update={"seed": self.seed})
        now = self.now if self.now.tzinfo else self.now.replace(tzinfo=UTC)
        allowed = ask.filter
        if self.store.people:
            allowed = allowed.model_copy(update={"deny": allowed.deny | {ask.user_id}})  # nobody for themself
        return Query(self.user, self.history, ask.context, ask.instruction, allowed, policy, now=now)

    @property
    def words(self) -> Wording:
        """The words of the language that was asked for."""
        return wording(self.language)

    def subject(self, n: int) -> Subject:
        """What a ranking prompt for n items is about."""
        name, find = self.words.name, self.store.item
        return Subject(self.user, self.history, self.ask.context, self.ask.instruction, n, name, find, self.now)

    def latest(self, count: int) -> Sequence[Event]:
        """The latest events, oldest first."""
        return self.history[-count:] if count else ()

    def world(self, events: Sequence[Event], fields: Iterable[str] | None = None) -> World:
        """What evidence is worded with, where `events` and these attributes (None: all) may be cited."""
        knowledge = self.retriever.knowledge
        return World(
            user=self.user,
            events=events,
            context=self.ask.context,
            instruction=self.ask.instruction,
            item=self.store.item,
            takers=lambda item_id: knowledge.takers(item_id),
            now=self.now,
            language=self.language,
            fields=None if fields is None else frozenset(fields),
        )

    def names(self, candidates: Iterable[Item]) -> list[Names]:
        """What a reason must not say unless it is cited: other titles, categories, the user's attributes."""
        store = self.store
        past = {store.item(event.item_id).title for event in self.history}
        attributes = {value for value in self.user.attributes.values() if isinstance(value, str)}
        return [Names([*past, *(item.title for item in candidates), *attributes]), names_of(store.categories)]
