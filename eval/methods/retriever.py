"""The retriever alone: what the language model has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from eval.method import Answers, Params, Ranked, Ranker, Status, ties
from eval.protocols import Training
from genrec.parts import build_retriever
from genrec.store import Store
from retrieval import Encoder, Item, Retriever, User
from retrieval.fit import Case, fit

_EVERY = 200


@dataclass(frozen=True)
class Prepared:
    """A retriever with weights from validation that knows all that may be known, and the store that it was made of."""

    store: Store
    retriever: Retriever
    chosen: Params

    def with_users(self, users: Mapping[str, User]) -> Prepared:
        """The same, where these users are who asks."""
        return replace(self, store=Store(self.store.items, users.values(), self.store.events, people=self.store.people))

    def with_items(self, items: Sequence[Item]) -> Prepared:
        """The same over other texts of the items, with the same weights."""
        users = [self.store.user(user_id) for user_id in self.store.user_ids]
        store = Store(items, users, self.store.events, people=self.store.people)
        built = build_retriever(store, self.retriever.knowledge.encoder, lambda _: None)
        return replace(self, store=store, retriever=Retriever(built.knowledge, self.retriever.weights))

    def rank(self, cases: Sequence[Case], pools: Sequence[Sequence[str]] | None, k: int, status: Status) -> Answers:
        catalogue, ranked = self.retriever.knowledge.catalogue, []
        for number, case in enumerate(cases):
            if not number % _EVERY:
                status(f"retriever: user {number} of {len(cases)}")
            if pools is None:
                found = [catalogue.item(row).item_id for row in self.retriever.rank(case.query, k).tolist()]
            else:
                pool = ties(pools[number])
                scored = self.retriever.score(case.query, pool)
                found = [one.item.item_id for one in sorted(scored, key=lambda one: -one.score)][:k]
            ranked.append(Ranked(found))
        return Answers(ranked)


@dataclass
class RetrieverMethod:
    """Weights fitted to validation takes by `genrec fit`'s own search; made once for each training."""

    encoder: str | Encoder
    name: str = "retriever"
    _made: list[tuple[Training, Prepared]] = field(default_factory=list)

    def prepare(self, training: Training, status: Status) -> tuple[Ranker, Params]:
        prepared = self.prepared(training, status)
        return prepared, prepared.chosen

    def prepared(self, training: Training, status: Status) -> Prepared:
        """The same for the methods that ask a model about what this finds."""
        for known, prepared in self._made:
            if known is training:
                return prepared
        users = training.users.values()
        built = build_retriever(
            Store(training.items, users, training.events, people=training.people), self.encoder, status
        )
        fitted = fit(built, training.validation, lambda done, of: status(f"retriever: weights, {done} of at most {of}"))
        retriever = Retriever(built.knowledge, fitted.weights)
        retriever.knowledge.add_events(training.later)
        chosen = {**fitted.weights.model_dump(), "validation ndcg@10": round(fitted.after, 5)}
        prepared = Prepared(
            Store(training.items, users, training.everything, people=training.people), retriever, chosen
        )
        self._made.append((training, prepared))
        return prepared
