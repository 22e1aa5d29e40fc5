"""What retrieval knows: the catalogue, its vectors and words, and what people took. Grows with every item and event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from retrieval.behaviour import Behaviour, CrossCounts
from retrieval.cache import Progress, Vectorizer
from retrieval.catalogue import Catalogue
from retrieval.cues import buckets, context_values, strength
from retrieval.encoder import Encoder
from retrieval.guards import Quarantine
from retrieval.index import ExactIndex, Index
from retrieval.lexical import LexicalIndex
from retrieval.locks import Shared
from retrieval.signals import (
    Affinity,
    After,
    CategoryAffinity,
    Described,
    InstructionWords,
    Lexical,
    Popularity,
    Recent,
    Semantic,
    Signal,
    Together,
)
from retrieval.types import Event, Item, User, when


class Knowledge:
    """Everything that signals read. Not yet anything of who asks. Whoever computes with it holds `lock` for reading.

    `quarantine` decides which takes count for others; None counts them all.
    """

    def __init__(
        self, encoder: Encoder, cache: Vectorizer, index: Index | None = None, quarantine: Quarantine | None = None
    ) -> None:
        self.encoder, self._cache = encoder, cache
        self.quarantine = quarantine
        self.lock = Shared()
        self.index: Index = ExactIndex() if index is None else index
        self.catalogue = Catalogue()
        self.behaviour = Behaviour()
        self._people, self._moments = CrossCounts(), CrossCounts()
        self._titles, self._texts = LexicalIndex(), LexicalIndex()
        self._users: dict[str, User] = {}
        self._categories = CategoryAffinity(self.catalogue)
        self.signals: Sequence[Signal] = (
            Semantic(self.catalogue, self.index),
            Lexical(self.catalogue, self._titles),
            self._categories,
            Together(self.catalogue, self.behaviour),
            After(self.catalogue, self.behaviour),
            Popularity(self.catalogue, self.behaviour),
            Recent(self.catalogue, self.behaviour),
            Affinity("attribute", self._people, self.behaviour),
            Affinity("context", self._moments, self.behaviour),
            Described("profile", {"attribute", "context"}, self.index, encoder),
            Described("instruction", {"instruction"}, self.index, encoder),
            InstructionWords(self._texts),
        )

    def add_items(self, items: Iterable[Item], progress: Progress | None = None) -> None:
        """Add items, or replace those with the same ids; they can be found when this returns.

        Words and categories are counted over the whole catalogue again, so add many at once.
        """
        items = list(items)
        vectors = self._cache.encode(self.encoder, [item.text() for item in items], progress)
        with self.lock.writing():
            fill = self.index.upsert if len(self.index) else self.index.replace
            rows = self.catalogue.place(items)
            fill(rows, vectors)
            self._read_texts()
            self.catalogue.reveal(rows)

    def remove_items(self, item_ids: Iterable[str]) -> None:
        """Forget items. Raises KeyError, before any is gone, for an unknown one."""
        with self.lock.writing():
            self.index.delete(self.catalogue.remove(item_ids))
            self._read_texts()

    def add_users(self, users: Iterable[User]) -> None:
        """Know who takes: the attributes count for the takes that come after this."""
        self._users |= {user.user_id: user for user in users}

    def add_events(self, events: Iterable[Event]) -> None:
        """Count events that speak for an item of the catalogue; those of one user in the order they happened.

        With a quarantine they are counted in the order of time, whoever they are of.
        """
        with self.lock.writing():
            if self.quarantine is None:
                counted = self._takes(events)
            else:
                counted = self.quarantine.admit(self._takes(sorted(events, key=when)))
            for take in counted:
                if take.item_id in self.catalogue:  # what was held may be of an item that is gone
                    row = self.catalogue.row(take.item_id)
                    self.behaviour.add(take.user_id, row, take.timestamp)
                    self._count(take, row)

    def takers(self, item_id: str) -> int:
        """How many users took an item. Raises KeyError for one that is not there."""
        return int(self.behaviour.counts(self.catalogue.rows([item_id]))[0])

    def _takes(self, events: Iterable[Event]) -> Iterator[Event]:
        """The first event of each user that speaks for an item, where that is not counted yet."""
        for event in events:
            speaks = strength(event) > 0 and event.item_id in self.catalogue
            if speaks and not self.behaviour.took(event.user_id, self.catalogue.row(event.item_id)):
                yield event

    def _count(self, event: Event, row: int) -> None:
        user = self._users.get(event.user_id)
        for field, value in user.attributes.items() if user else ():
            for bucket in buckets(value):
                self._people.add(field, bucket, row)
        for field, bucket in context_values(event.moment).items():
            self._moments.add(field, bucket, row)

    def _read_texts(self) -> None:
        items = self.catalogue.items()
        self._titles.build([item.title for item in items])
        self._texts.build([item.text() for item in items])
        self._categories.build()
