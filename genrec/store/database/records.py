"""What goes into the database and comes out of it, beside items, users, events and recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from genrec.types import Recommendation
from retrieval.guards import Released
from retrieval.types import Event, Item, User

Scope = Literal["read", "write", "admin"]
"""What a key may do."""
Verdict = Literal["helpful", "unhelpful", "wrong"]
"""What a user thinks of a reason."""


@dataclass(frozen=True)
class Key:
    """An API key, without its secret, which nobody keeps.

    A public one has no scope: it gives lists to pages of its `origins`, which prove with its `signing_secret` whose.
    """

    tenant: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    origins: frozenset[str] = frozenset()
    signing_secret: str = field(default="", repr=False)

    @property
    def public(self) -> bool:
        """Whether everybody may read it, in the source of a page."""
        return bool(self.origins)


@dataclass(frozen=True)
class PublicKey:
    """What a new public key is: `key` stands in pages, `signing_secret` stays on the server that makes them."""

    key: str
    signing_secret: str


@dataclass(frozen=True)
class Mark:
    """How much of a tenant somebody has read. `epoch` grows when something is removed."""

    seq: int
    epoch: int


@dataclass(frozen=True)
class Snapshot:
    """All items, users and events of a tenant at one moment; events in the order in which they were acknowledged.

    `released` are the users and items whose bursts count.
    """

    items: tuple[Item, ...]
    users: tuple[User, ...]
    events: tuple[Event, ...]
    released: Released
    mark: Mark


@dataclass(frozen=True)
class Changes:
    """What was written since a mark, oldest first.

    `stale`: something was removed as well, so nothing is listed and a snapshot has to be taken.
    """

    items: tuple[Item, ...]
    users: tuple[User, ...]
    events: tuple[Event, ...]
    mark: Mark
    stale: bool


@dataclass(frozen=True)
class Stored:
    """An acknowledged event, with its id. `repeated`: it was there already."""

    event: Event
    repeated: bool


@dataclass(frozen=True)
class Saved:
    """A recommendation as it was given, and what was asked for."""

    recommendation: Recommendation
    request: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Given:
    """A list as it was given, the events that name it, and the verdicts on its reasons."""

    recommendation: Recommendation
    created_at: datetime
    events: tuple[Event, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Recent:
    """The last lists of a tenant, oldest first; `items` are in its catalogue now."""

    lists: tuple[Given, ...]
    items: int


@dataclass(frozen=True)
class Feedback:
    """A verdict on the reason of one item of a recommendation."""

    recommendation_id: str
    item_id: str
    verdict: Verdict


@dataclass(frozen=True)
class Erased:
    """How many rows were removed from each table."""

    users: int
    items: int
    events: int
    recommendations: int
    feedback: int


@dataclass(frozen=True)
class KeptVersion:
    """A version of a tenant's own prompts, and since when it is kept."""

    version: str
    created_at: datetime


@dataclass(frozen=True)
class LabelMove:
    """A label was put on a version, at a moment in ISO 8601, by somebody."""

    label: str
    version: str
    time: str
    by: str
