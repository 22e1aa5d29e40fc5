"""The one page of retrieval: cues → signals → candidates of each → one score → filter, diversity, exploration.

Every candidate knows what chose it: its contributions, one for each signal and cue, sum to its score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import numpy as np

from retrieval.cache import Progress, Vectorizer
from retrieval.choice import Policy, diverse, seen, untried
from retrieval.cues import Cue, attribute_cues, context_cues, event_cues, instruction_cues
from retrieval.encoder import Encoder
from retrieval.features import Features, NamedReadings, View, pool, view
from retrieval.filters import Filter
from retrieval.guards import Quarantine
from retrieval.index import Index, Mask, Rows
from retrieval.index.base import nearest
from retrieval.knowledge import Knowledge
from retrieval.lists import Values
from retrieval.types import Candidate, CandidateSource, Context, Contribution, Event, Item, User
from retrieval.weights import Weights

_POOL = 200
"""How many items each signal may nominate before the scores are added up."""
_ALIKE = {"semantic", "lexical", "category", "together"}
"""The signals that say that two items are alike, and not which comes next or is popular."""
_OF_OTHERS = {"popularity", "recent"}


@dataclass(frozen=True)
class Query:
    """What retrieval knows about one request.

    `history` is oldest first; `filter` and `policy` say what may come; `now` is when it is asked.
    """

    user: User
    history: Sequence[Event] = ()
    context: Context = field(default_factory=Context)
    instruction: str = ""
    filter: Filter = field(default_factory=Filter)
    policy: Policy = field(default_factory=Policy)
    now: datetime | None = None


class Retriever:
    """Finds candidates for a request in what is known."""

    def __init__(self, knowledge: Knowledge, weights: Weights | None = None) -> None:
        self.knowledge = knowledge
        self.weights = weights or Weights()

    @classmethod
    def build(
        cls,
        items: Iterable[Item],
        events: Iterable[Event],
        encoder: Encoder,
        cache: Vectorizer,
        *,
        users: Iterable[User] = (),
        weights: Weights | None = None,
        index: Index | None = None,
        progress: Progress | None = None,
        quarantine: Quarantine | None = None,
    ) -> Self:
        """Encode the items (only those that are not in the cache) and count the events.

        `index` holds the vectors; None keeps them in memory, which serves up to some 200,000 items. `quarantine`
        decides which events count for others than their user; None counts them all.
        """
        knowledge = Knowledge(encoder, cache, index, quarantine)
        knowledge.add_items(items, progress)
        knowledge.add_users(users)
        knowledge.add_events(events)
        return cls(knowledge, weights)

    def retrieve(self, query: Query, k: int) -> list[Candidate]:
        """The k best items that the query allows, best first; all of them where fewer are allowed.

        The last `policy.explore` of them are items that few have taken, drawn by the policy's seed.
        """
        with self.knowledge.lock.reading():
            return self._retrieve(query, k)

    def _retrieve(self, query: Query, k: int) -> list[Candidate]:
        policy, allowed, readings = query.policy, self.allowed(query), self._read(self._cues(query))
        k = min(k, int(np.count_nonzero(allowed)))
        explored = min(policy.explore, k)
        found, best = self._best(readings, k - explored, allowed, policy)
        chosen = self._candidates(found, best, policy)
        if explored:
            allowed[found.rows[best]] = False
            counts = self.knowledge.behaviour.every_count(len(allowed))
            drawn = view(readings, untried(allowed, counts, k - len(best), policy.seed))
            chosen += self._candidates(drawn, np.arange(len(drawn.rows)), policy, source="explore")
        return chosen

    def score(self, query: Query, item_ids: Sequence[str]) -> list[Candidate]:
        """The given items as candidates of this query, in their given order, seen or not."""
        with self.knowledge.lock.reading():
            found = view(self._read(self._cues(query)), self.knowledge.catalogue.rows(item_ids))
            return self._candidates(found, np.arange(len(item_ids)), query.policy)

    def similar(self, item_id: str, k: int, filter_: Filter | None = None) -> list[Candidate]:
        """The k items most like this one, by text, words, categories and who took them, and what in them is.

        Raises KeyError for an id that is not there.
        """
        policy, catalogue = Policy(), self.knowledge.catalogue
        cue = Cue("item", item_id, 1.0, item_id=item_id)
        with self.knowledge.lock.reading():
            allowed = catalogue.allowed(filter_ or Filter())
            allowed[catalogue.row(item_id)] = False
            readings = [(signal.name, signal.read([cue])) for signal in self.knowledge.signals if signal.name in _ALIKE]
            return self._candidates(*self._best(readings, k, allowed, policy), policy)

    def diverse(self, item_ids: Sequence[str], scores: Sequence[float], k: int, diversity: float) -> list[int]:
        """Places of the k best of scored items that are not too much alike, from 0, the best, to 1, all different."""
        vectors = self.knowledge.index.vectors(self.knowledge.catalogue.rows(item_ids))
        return diverse(np.array(scores), vectors, k, diversity)

    def rank(self, query: Query, k: int) -> Rows:
        """The rows of the k best items, without exploration and without what chose them: for measuring."""
        found, best = self._best(self._read(self._cues(query)), k, self.allowed(query), query.policy)
        return found.rows[best]

    def features(self, query: Query) -> Features:
        """What every signal, weighted or not, makes of the items that any of them puts forward: for fitting."""
        cues = self._cues(query)
        readings = [(signal.name, signal.read(cues)) for signal in self.knowledge.signals]
        return view(readings, pool(readings, _POOL, self.allowed(query))).features()

    def order(self, found: Features, k: int, policy: Policy) -> Rows:
        """The rows of the k best items of a pool."""
        return found.rows[self._places(found, k, policy)]

    def allowed(self, query: Query) -> Mask:
        """The items that the filter lets through and the policy does not rule out as seen."""
        catalogue = self.knowledge.catalogue
        mask = catalogue.allowed(query.filter)
        met = seen(query.history, query.policy.repeat_after_days, query.now)
        mask[catalogue.rows(item_id for item_id in met if item_id in catalogue)] = False
        return mask

    def _cues(self, query: Query) -> list[Cue]:
        history = [event for event in query.history if event.item_id in self.knowledge.catalogue]
        return [
            *event_cues(history, self.weights),
            *attribute_cues(query.user.attributes),
            *context_cues(query.context),
            *instruction_cues(query.instruction),
        ]

    def _read(self, cues: Sequence[Cue]) -> NamedReadings:
        """What the signals that count make of a request."""
        weights = self.weights.model_dump()
        signals = (signal for signal in self.knowledge.signals if weights[signal.name] or signal.name == "popularity")
        return [(signal.name, signal.read(cues)) for signal in signals]

    def _best(self, readings: NamedReadings, k: int, allowed: Mask, policy: Policy) -> tuple[View, Rows]:
        """A pool, and the places of the k best in it."""
        found = view(readings, pool(readings, max(k, _POOL), allowed))
        return found, self._places(found.features(), k, policy)

    def _places(self, found: Features, k: int, policy: Policy) -> Rows:
        scores = self._weights_of(found.signals, policy) @ found.matrix
        if not policy.diversity:
            return nearest(scores, k)
        top = nearest(scores, _POOL)
        vectors = self.knowledge.index.vectors(found.rows[top])
        return top[diverse(scores[top], vectors, k, policy.diversity)]

    def _candidates(
        self, found: View, places: Rows, policy: Policy, *, source: CandidateSource | None = None
    ) -> list[Candidate]:
        """Items with everything that speaks for or against them."""
        weights = self._weights_of([name for name, _ in found.readings], policy)
        parts = found.contributions(weights, places)
        return [
            Candidate(
                item=self.knowledge.catalogue.item(row),
                score=sum(part.value for part in why),
                contributions=why,
                source=source or _source(why),
            )
            for row, why in zip(found.rows[places].tolist(), parts, strict=True)
        ]

    def _weights_of(self, signals: Sequence[str], policy: Policy) -> Values:
        weights = self.weights.model_dump()
        weights["popularity"] -= policy.popularity_discount
        return np.array([weights[name] for name in signals], np.float64)


def _source(parts: Sequence[Contribution]) -> CandidateSource:
    """An item that nothing about this user speaks for is there because others took it."""
    return "retrieval" if any(part.kind != "item" or part.signal not in _OF_OTHERS for part in parts) else "popular"
