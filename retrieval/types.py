"""The words of the project as types: item, user, event, context, candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(min_length=1)]
"""An external id: any non-empty string."""

Scalar = str | int | float | bool
AttributeValue = Scalar | list[str]


def _as_utc(value: object) -> object:
    """A time without a zone is taken as UTC; seconds since 1970 are accepted too."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value  # pydantic names what is wrong with it
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _flat(value: object) -> object:
    """Category paths (`[["Beauty", "Makeup"], ["Beauty", "Nails"]]`) as their names, each once."""
    if not isinstance(value, list) or not any(isinstance(entry, list) for entry in value):
        return value
    names = [name for path in value for name in (path if isinstance(path, list) else [path])]
    return list(dict.fromkeys(names)) if all(isinstance(name, str) for name in names) else names


def _known(value: object) -> object:
    """Attributes without those that say nothing: null, blank, an empty list."""
    if isinstance(value, Mapping):
        return {name: said for name, said in value.items() if said is not None and said != [] and not _blank(said)}
    return value


def _blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


Attributes = Annotated[dict[str, AttributeValue], BeforeValidator(_known)]
UtcTime = Annotated[AwareDatetime, BeforeValidator(_as_utc)]


class _Record(BaseModel):
    """Immutable, and strict about unknown fields; numbers are accepted where an id is a string."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Item(_Record):
    """Something worth showing: a film, a product, a person, a route."""

    item_id: Id
    title: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    description: str = ""
    categories: Annotated[tuple[str, ...], BeforeValidator(_flat)] = ()
    price: float | None = Field(default=None, ge=0)
    attributes: Attributes = Field(default_factory=dict)
    image: str | None = None
    created_at: UtcTime | None = None

    def text(self) -> str:
        """What the encoder reads: title, categories, description, attributes, one line."""
        facts = (f"{name}: {plain(value)}" for name, value in self.attributes.items())
        parts = (self.title, ", ".join(self.categories), self.description, "; ".join(facts))
        return ". ".join(part.rstrip(".") for part in parts if part)


class User(_Record):
    """Somebody the items are for, with whatever is known about them."""

    user_id: Id
    attributes: Attributes = Field(default_factory=dict)


class Context(BaseModel):
    """Where and when: `time`, `place`, `device`, and any other field with a plain value.

    >>> Context(place="Beijing", device="PC", weather="rain").fields()
    {'place': 'Beijing', 'device': 'PC', 'weather': 'rain'}
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Scalar]

    time: datetime | None = None
    place: str | None = None
    device: str | None = None

    def fields(self) -> dict[str, str]:
        """Every field that is set, as text; a time reads `2023-08-05` or `2023-08-05 19:30`."""
        named = {"place": self.place, "device": self.device, **(self.__pydantic_extra__ or {})}
        shown = {name: plain(value) for name, value in named.items() if value is not None and not _blank(value)}
        return {"time": _clock(self.time), **shown} if self.time else shown


class Event(_Record):
    """What a user did with an item: view, click, favorite, cart, purchase, rate, dismiss, or any other word.

    `timestamp` may be missing where only the order is known (`sequences.tsv`); `value` is the
    rating of a `rate` event, or any other strength.
    """

    user_id: Id
    item_id: Id
    type: Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
    timestamp: UtcTime | None = None
    value: float | None = Field(default=None, allow_inf_nan=False)
    context: Context | None = None
    event_id: Id | None = None

    @property
    def moment(self) -> Context:
        """Where and when it happened: its context, with the timestamp as the time where that has none."""
        context = self.context or Context()
        return context if context.time else context.model_copy(update={"time": self.timestamp})

    @property
    def ref(self) -> str:
        """How evidence points at this event: its id, else what makes it unique for one user."""
        when = self.timestamp.isoformat() if self.timestamp else "-"
        return self.event_id or f"{self.type}:{self.item_id}:{when}"


_START = datetime.min.replace(tzinfo=UTC)


def when(event: Event) -> datetime:
    """What events are ordered by; one without a time comes before all others."""
    return event.timestamp or _START


ContributionKind = Literal["event", "attribute", "context", "instruction", "item"]


@dataclass(slots=True)
class Contribution:
    """One part of a candidate's score: which signal, from what, and how much (it may be negative).

    A request makes thousands of them, so this is no pydantic model.
    """

    signal: str
    kind: ContributionKind
    ref: str
    value: float


CandidateSource = Literal["retrieval", "popular", "explore"]
"""Why an item is a candidate: what is known of the request, what others took, or to be tried out."""


class Candidate(_Record):
    """An item that retrieval proposes. `score` is the sum of its contributions."""

    item: Item
    score: float
    contributions: tuple[Contribution, ...]
    source: CandidateSource = "retrieval"


def plain(value: AttributeValue) -> str:
    """A value as people write it: `yes`, `4`, `red, blue`."""
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _clock(time: datetime) -> str:
    return time.strftime("%Y-%m-%d" if (time.hour, time.minute) == (0, 0) else "%Y-%m-%d %H:%M")
