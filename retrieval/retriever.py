"""The one page of retrieval: user, history, context, instruction → candidates that know what chose them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from retrieval.cache import Progress, VectorCache
from retrieval.encoder import Encoder
from retrieval.index import ExactIndex, Index
from retrieval.signals import Part, Popularity, Weights, event_weights, semantic, user_vector
from retrieval.types import Candidate, Context, Contribution, ContributionKind, Event, Item, User, plain

_POOL = 200
"""How many items each signal may nominate before the scores are added up."""
_RECENT = 30
"""How many events speak for a user; older ones would weigh less than a hundredth of the newest."""


@dataclass(frozen=True)
class Query:
    """What retrieval knows about one request. `history` is oldest first."""

    user: User
    history: Sequence[Event] = ()
    context: Context = field(default_factory=Context)
    instruction: str = ""


class Retriever:
    """Signals → one score → candidates."""

    def __init__(
        self,
        items: Sequence[Item],
        index: Index,
        encoder: Encoder,
        popularity: Popularity,
        weights: Weights | None = None,
    ) -> None:
        self._items = {item.item_id: item for item in items}
        self._index = index
        self.encoder = encoder
        self.popularity = popularity
        self.weights = weights or Weights()

    @classmethod
    def build(
        cls,
        items: Sequence[Item],
        events: Iterable[Event],
        encoder: Encoder,
        cache: VectorCache,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Encode the items (only those that are not in the cache) and count the events."""
        vectors = cache.encode(encoder, [item.text() for item in items], progress)
        return cls(items, ExactIndex([item.item_id for item in items], vectors), encoder, Popularity(events))

    def retrieve(self, query: Query, k: int) -> list[Candidate]:
        """The k best items that the user has not seen, best first; fewer where the catalogue is smaller."""
        seen = {event.item_id for event in query.history}
        parts = self._parts(query)
        pool = self._nominate(parts, max(k, _POOL), seen)
        by_meaning = semantic(parts, self._index.vectors(pool))
        candidates = [self._candidate(item_id, meaning) for item_id, meaning in zip(pool, by_meaning, strict=True)]
        return sorted(candidates, key=lambda candidate: -candidate.score)[:k]

    def score(self, query: Query, item_ids: Sequence[str]) -> list[Candidate]:
        """The given items as candidates of this query, in their given order, seen or not."""
        by_meaning = semantic(self._parts(query), self._index.vectors(item_ids))
        return [self._candidate(item_id, meaning) for item_id, meaning in zip(item_ids, by_meaning, strict=True)]

    def similar(self, item_id: str, k: int) -> list[Candidate]:
        """The k items whose text is nearest to this one's. Raises KeyError for an id that is not there."""
        [vector] = self._index.vectors([item_id])
        part = Part(kind="item", ref=item_id, weight=1.0, vector=vector)
        found = self._index.search(vector, k, {item_id})
        shares = semantic([part], self._index.vectors(found))
        return [
            Candidate(item=self._items[other], score=sum(c.value for c in share), contributions=tuple(share))
            for other, share in zip(found, shares, strict=True)
        ]

    def _parts(self, query: Query) -> list[Part]:
        """Everything known that has a meaning, as weighted vectors."""
        events = [event for event in query.history if event.item_id in self._items][-_RECENT:]
        weights = event_weights(events, self.weights)
        vectors = self._index.vectors([event.item_id for event in events])
        parts = [
            Part("event", event.ref, weight, vector)
            for event, weight, vector in zip(events, weights, vectors, strict=True)
        ]
        attributes = {name: f"{name}: {plain(value)}" for name, value in query.user.attributes.items()}
        context = {name: f"{name}: {value}" for name, value in query.context.fields().items()}
        parts += self._texts("attribute", attributes, self.weights.attributes)
        parts += self._texts("context", context, self.weights.context)
        if query.instruction:
            parts += self._texts("instruction", {"instruction": query.instruction}, self.weights.instruction)
        return parts

    def _texts(self, kind: ContributionKind, texts: dict[str, str], weight: float) -> list[Part]:
        if not texts:
            return []
        vectors = self.encoder.encode(list(texts.values()))
        share = weight / len(texts)
        return [Part(kind, ref, share, vector) for ref, vector in zip(texts, vectors, strict=True)]

    def _nominate(self, parts: Sequence[Part], k: int, seen: set[str]) -> list[str]:
        near = self._index.search(user_vector(parts), k, seen) if parts else []
        popular = [item_id for item_id in self.popularity.top(k, seen) if item_id in self._items]
        pool = list(dict.fromkeys([*near, *popular]))
        # Nothing known and nothing taken yet: the catalogue's own order is all there is.
        return pool or [item_id for item_id in self._items if item_id not in seen][:k]

    def _candidate(self, item_id: str, meaning: Sequence[Contribution]) -> Candidate:
        taken = self.weights.popularity * self.popularity.of(item_id)
        popular = Contribution(signal="popularity", kind="item", ref="popularity", value=taken)
        contributions = (*meaning, popular)
        return Candidate(
            item=self._items[item_id], score=sum(c.value for c in contributions), contributions=contributions
        )
