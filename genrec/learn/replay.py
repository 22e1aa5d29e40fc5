"""What happened, once more in its order, beside a retriever that knows at each moment what it could know then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from genrec.config import Config
from genrec.errors import DataError
from genrec.parts import Status, build_retriever
from genrec.scene import Ask, Scene
from genrec.store import Store
from retrieval import Encoder, Event, Retriever, Weights
from retrieval.cues import strength


@dataclass(frozen=True)
class Take:
    """The first event of a user with an item, if it speaks for the item and comes after something else.

    `before` events had happened when it came, those of the same instant not among them, which is the share `when` of
    all: so of a friendship that two people enter at once neither side shows the other.
    """

    event: Event
    before: int
    when: float


@dataclass(frozen=True)
class Moment:
    """Just before a take. What is known goes on when the next moment is asked for."""

    take: Take
    past: Store
    retriever: Retriever

    def scene(self, config: Config, n: int) -> Scene:
        """The request for n items that the user would have made."""
        event = self.take.event
        return Scene(self.past, self.retriever, config, Ask(event.user_id, n, event.moment))


class Timeline:
    """The events of a store by their time or, where none has one, by the share of the user's history before them.

    Raises DataError where some have a time and others have none.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._placed = sorted(_placed(store), key=lambda pair: pair[0])

    def takes(self) -> list[Take]:
        """Every take, oldest first."""
        met: defaultdict[str, set[str]] = defaultdict(set)
        found: list[Take] = []
        before = 0
        for _, group in groupby(self._placed, key=lambda pair: pair[0]):
            events = [event for _, event in group]
            fresh = {
                (event.user_id, event.item_id): event
                for event in reversed(events)
                if strength(event) > 0 and met[event.user_id] and event.item_id not in met[event.user_id]
            }
            when = before / len(self._placed)
            found += [Take(event, before, when) for event in reversed(fresh.values())]
            for event in events:
                met[event.user_id].add(event.item_id)
            before += len(events)
        return found

    def replay(
        self, takes: Sequence[Take], encoder: str | Encoder, weights: Weights | None, status: Status
    ) -> Iterator[Moment]:
        """The moment before each of some takes, oldest first."""
        store = self._store
        past = Store(store.items, [store.user(user_id) for user_id in store.user_ids], people=store.people)
        retriever = build_retriever(past, encoder, status, weights)
        done = 0
        for take in takes:
            happened = [event for _, event in self._placed[done : take.before]]
            past.add_events(happened)
            retriever.knowledge.add_events(happened)
            done = take.before
            yield Moment(take, past, retriever)


def _placed(store: Store) -> list[tuple[float, Event]]:
    events = store.events
    timed = [(event.timestamp.timestamp(), event) for event in events if event.timestamp]
    if timed and len(timed) < len(events):
        raise DataError(
            f"{len(events) - len(timed)} of {len(events)} events have no time, so nobody knows what came before what: "
            "give all of them one, or none"
        )
    if timed:
        return timed
    histories = [store.history(user_id) for user_id in store.user_ids]
    return [(place / len(history), event) for history in histories for place, event in enumerate(history)]
