"""What somebody thinks of items as events, and what a list owes to that."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from genrec.server.bodies import EventBody
from genrec.server.fields import parsed
from genrec.store.database import Saved
from genrec.types import RankedItem, Recommendation
from retrieval import Event

Verdict = Literal["like", "save", "dismiss"]
VERDICTS: Sequence[Verdict] = get_args(Verdict)
_EVENTS: dict[Verdict, dict[str, object]] = {
    "like": {"type": "rate", "value": 5},
    "save": {"type": "favorite"},
    "dismiss": {"type": "dismiss"},
}


@dataclass(frozen=True)
class Changes:
    """What became of a list: titles that are gone and new, and how many of the others stand in another order."""

    gone: Sequence[str]
    new: Sequence[str]
    moved: int

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.gone) + len(self.new) + self.moved


@dataclass(frozen=True)
class Judged:
    """An item of a list, and what somebody said of it. `waiting`: its place is not its last one yet."""

    list_id: str
    item_id: str
    verdicts: Collection[Verdict] = ()
    waiting: bool = False

    def name(self, verdict: Verdict) -> str:
        """What the button of a verdict is called on its page, so that the focus stays on it."""
        return f"{verdict}-{event_id(self.list_id, self.item_id, verdict)}"


def event_of(judged: Saved, item_id: str, verdict: Verdict) -> EventBody:
    """A verdict on an item of a list as an event; its id follows from the rest, so it counts once and can be found.

    It happens at the moment that the list was asked for, where that names one of the past, so that trying out another
    day does not make all that happened then look old.
    """
    answer, asked = judged.recommendation, judged.request.get("context", {}).get("time")
    moment = _in_utc(datetime.fromisoformat(asked)) if asked else None
    return parsed(
        EventBody,
        {
            **_EVENTS[verdict],
            "user_id": answer.user_id,
            "item_id": item_id,
            "event_id": event_id(answer.id, item_id, verdict),
            "recommendation_id": answer.id,
            "timestamp": moment.isoformat() if moment and moment < datetime.now(UTC) else None,
        },
    )


def event_id(recommendation_id: str, item_id: str, verdict: Verdict) -> str:
    """The id of the event that a verdict is."""
    said = "\0".join((recommendation_id, item_id, verdict))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def verdicts_on(recommendation_id: str, item_id: str, history: Collection[Event]) -> list[Verdict]:
    """What was said of an item of a list."""
    known = {event.event_id for event in history}
    return [verdict for verdict in VERDICTS if event_id(recommendation_id, item_id, verdict) in known]


def changes(
    before: Saved, after: Recommendation, request: dict[str, object], history: Collection[Event]
) -> Changes | None:
    """What changed since somebody judged the list before; None where they did not, or asked for something else."""
    old, new = before.recommendation.items, after.items
    judged = any(verdicts_on(before.recommendation.id, item.item_id, history) for item in old)
    if not judged or dict(before.request) != request:
        return None
    return Changes(_only(old, new), _only(new, old), _moved(old, new))


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _only(some: Sequence[RankedItem], others: Sequence[RankedItem]) -> list[str]:
    known = {item.item_id for item in others}
    return [item.title for item in some if item.item_id not in known]


def _moved(old: Sequence[RankedItem], new: Sequence[RankedItem]) -> int:
    """How many of the items in both lists have another place among them."""
    before, after = [item.item_id for item in old], [item.item_id for item in new]
    kept = [item_id for item_id in before if item_id in after]
    return sum(a != b for a, b in zip(kept, (item_id for item_id in after if item_id in before), strict=True))
