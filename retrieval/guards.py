"""What one user, or many at once, may add to what others see: a cap for each user, and a quarantine for bursts.

What is not counted for others still stands in its user's own history, and so decides on their own lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.types import Event

Cause = Literal["user", "item"]
"""What was done far more than usual: things by one user, or one item by many."""
Released = frozenset[tuple[Cause, str]]
"""Users and items, by their ids, of which somebody has said that their bursts count."""


class Guards(BaseModel):
    """Limits on takes that count for others. A take is the first event of a user that speaks for an item.

    Of one user the first `takes_of_user` count. In a day (UTC) one user may take `user_factor` times what others take
    in a day of theirs, and at least `user_fewest` items; an item may be taken by `item_share` of all users, by
    `item_factor` times as many as took it before that day, and at least by `item_fewest`, whichever is most. What is
    beyond that is held back until it is `hold_days` old, by the newest event, or until somebody releases it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    takes_of_user: int = Field(500, ge=1)
    user_factor: float = Field(5.0, gt=0)
    user_fewest: int = Field(50, ge=1)
    item_share: float = Field(0.005, ge=0, le=1)
    item_factor: float = Field(1.0, ge=0)
    item_fewest: int = Field(5, ge=1)
    hold_days: float = Field(7.0, ge=0)


@dataclass(frozen=True)
class Held:
    """A take that does not count for others yet, and whose burst it is part of."""

    event: Event
    cause: Cause
    since: datetime
    until: datetime

    @property
    def of(self) -> str:
        """The id of the user or item whose burst it is."""
        return self.event.user_id if self.cause == "user" else self.event.item_id


class Quarantine:
    """Lets takes through that may count for others. Takes without a time are let through up to the cap.

    The same takes in the same order give the same answers.
    """

    def __init__(self, guards: Guards, released: Released = frozenset()) -> None:
        self._guards, self._released = guards, released
        self._of_user: Counter[str] = Counter()
        self._user_days = _Days()
        self._item_days = _Days()
        self._held: dict[tuple[str, str], Held] = {}
        self._ends: list[tuple[datetime, int, tuple[str, str]]] = []  # a heap: when, the how manyth, which
        self._newest: datetime | None = None

    @property
    def held(self) -> Sequence[Held]:
        """What is held back, in the order in which it came."""
        return list(self._held.values())

    def admit(self, takes: Iterable[Event]) -> Iterator[Event]:
        """Those that count for others from now on: what was held long enough, and each take that is no burst."""
        for take in takes:
            yield from self._due(take.timestamp)
            if (take.user_id, take.item_id) not in self._held and self._passes(take):
                yield take

    def _due(self, now: datetime | None) -> Iterator[Event]:
        if now is None or (self._newest and now <= self._newest):
            return
        self._newest = now
        while self._ends and self._ends[0][0] <= now:
            yield self._held.pop(heappop(self._ends)[2]).event

    def _passes(self, take: Event) -> bool:
        """Count a take, and hold it if it is part of a burst; one beyond the cap of its user never counts."""
        self._of_user[take.user_id] += 1
        if self._of_user[take.user_id] > self._guards.takes_of_user:
            return False
        if take.timestamp is None:
            return True
        cause = self._burst(take, take.timestamp.date())
        if cause:
            until = take.timestamp + timedelta(days=self._guards.hold_days)
            key = (take.user_id, take.item_id)
            self._held[key] = Held(take, cause, take.timestamp, until)
            heappush(self._ends, (until, self._of_user[take.user_id], key))
        return cause is None

    def _burst(self, take: Event, day: date) -> Cause | None:
        """What the take is too much of. What is held does not make more usual."""
        guards, released = self._guards, self._released
        _, by_user = self._user_days.of(take.user_id, day)
        most = max(guards.user_fewest, guards.user_factor * self._user_days.usual(take.user_id))
        if by_user >= most and ("user", take.user_id) not in released:
            return "user"
        before, of_item = self._item_days.of(take.item_id, day)
        most = max(guards.item_fewest, guards.item_share * len(self._of_user), guards.item_factor * before)
        if of_item >= most and ("item", take.item_id) not in released:
            return "item"
        self._user_days.add(take.user_id, day)
        self._item_days.add(take.item_id, day)
        return None


class _Days:
    """How often each of many was counted before its latest day, and on it. What is sent late counts to that day."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[date, int, int]] = {}
        self._days, self._total = 0, 0

    def of(self, name: str, day: date) -> tuple[int, int]:
        """How often it was counted before this day, and on it."""
        latest, before, today = self._latest.get(name, (day, 0, 0))
        return (before + today, 0) if day > latest else (before, today)

    def add(self, name: str, day: date) -> None:
        """Count it once more."""
        before, today = self.of(name, day)
        self._days += not today
        self._total += 1
        self._latest[name] = (max(day, self._latest.get(name, (day, 0, 0))[0]), before, today + 1)

    def usual(self, name: str) -> float:
        """The mean of a day of the others; 0 where there are none."""
        _, _, today = self._latest.get(name, (None, 0, 0))
        others = self._days - (1 if today else 0)
        return (self._total - today) / others if others else 0.0
