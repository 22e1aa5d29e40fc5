"""The language model through the recommender itself: what users would get is what is measured.

An answer that fell back, and items that a list did not name, are not ranked: they would be the retriever's. So a model
that fails scores 0 there, and the rates of failures and repairs stand beside its quality.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from eval.method import Answers, Params, Ranked, Ranker, Status
from eval.methods.retriever import Prepared, RetrieverMethod
from eval.protocols import Training
from genrec import Config, Recommender, runner
from genrec.engine import Engine
from genrec.errors import DataError
from genrec.parts import build_retriever
from genrec.prompting import Pack
from genrec.store import Store
from genrec.types import Recommendation
from genrec.weighing import FEWEST_CASES, fit_weight, judge
from retrieval import Filter, Item, Policy, Retriever, User
from retrieval.fit import Case

CANDIDATES = 20
_LISTED = 10
_SIDE_BY_SIDE = 16
_FITTED_ON = 200
_ALL_AGAIN = Policy(repeat_after_days=0)
"""A pool says what may be shown: what the user has met too."""


@dataclass(frozen=True)
class ModelMethod:
    """One configuration. `fused`: with the weight that validation lists give the model beside the retriever."""

    name: str
    settings: Mapping[str, Any]
    base: RetrieverMethod
    engine: Engine
    pack: Pack
    fused: bool = False

    def prepare(self, training: Training, status: Status) -> tuple[Ranker, Params]:
        prepared = self.base.prepared(training, status)
        chosen: dict[str, Any] = {"model": self.engine.model, "prompts": f"{self.pack.name}@{self.pack.version}"}
        if self.fused:
            chosen |= self._fit(training, prepared, status)
        config = Config(
            candidates=CANDIDATES,
            model_weight=chosen.get("weight", 1.0),
            deadline_s=3600,
            explain=self.settings.get("strategy") == "json",
            **self.settings,
        )
        return Asker(self.name, prepared, self.engine, self.pack, config), chosen | dict(self.settings)

    def _fit(self, training: Training, prepared: Prepared, status: Status) -> Params:
        """On lists that a retriever makes which does not know the validation items."""
        store = Store(training.items, training.users.values(), training.events, people=training.people)
        weights = prepared.retriever.weights
        retriever = Retriever(build_retriever(store, self.base.encoder, status).knowledge, weights)
        config = Config(candidates=CANDIDATES, **self.settings)
        recommender = Recommender(store, retriever, self.pack, self.engine, config)

        def say(done: int, of: int) -> None:
            status(f"{self.name}: weight, list {done} of at most {of}")

        judged = runner.run(judge(recommender, training.validation, _FITTED_ON, say))
        if len(judged) < FEWEST_CASES:
            return {"weight": 0.0, "weight fitted on": f"{len(judged)} lists, too few"}
        found = fit_weight(judged)
        return {"weight": found.weight, "best weight": found.best, "weight fitted on": found.cases}


@dataclass(frozen=True)
class Asker:
    """A recommender's configuration over a prepared retriever, and what is changed of it for a control."""

    name: str
    prepared: Prepared
    engine: Engine
    pack: Pack
    config: Config

    @property
    def items(self) -> Sequence[Item]:
        """The catalogue."""
        return self.prepared.store.items

    def with_users(self, users: Mapping[str, User]) -> Asker:
        """The same, where these users are who asks."""
        return replace(self, prepared=self.prepared.with_users(users))

    def with_items(self, items: Sequence[Item]) -> Asker:
        """The same over other texts of the items."""
        return replace(self, prepared=self.prepared.with_items(items))

    def with_history(self, events: int) -> Asker:
        """The same, where a prompt shows no more than so many events."""
        return replace(self, config=self.config.model_copy(update={"history": events}))

    def rank(self, cases: Sequence[Case], pools: Sequence[Sequence[str]] | None, k: int, status: Status) -> Answers:
        for case in cases:
            if list(case.query.history) != list(self.prepared.store.history(case.query.user.user_id)):
                raise DataError(
                    f"user {case.query.user.user_id!r}: the case and what is known tell different histories"
                )
        started = perf_counter()
        answers: list[Recommendation] = []
        for start in range(0, len(cases), _SIDE_BY_SIDE):
            status(f"{self.name}: user {start} of {len(cases)}")
            some = cases[start : start + _SIDE_BY_SIDE]
            allowed = pools[start : start + _SIDE_BY_SIDE] if pools is not None else [None] * len(some)
            answers += runner.run(self._ask(some, allowed))
        return Answers([self._ranked(answer, k) for answer in answers], _cost(answers, perf_counter() - started))

    async def _ask(self, cases: Sequence[Case], pools: Sequence[Sequence[str] | None]) -> list[Recommendation]:
        return list(await asyncio.gather(*map(self._recommend, cases, pools)))

    async def _recommend(self, case: Case, pool: Sequence[str] | None) -> Recommendation:
        settings: dict[str, Any] = {}
        if pool is not None:
            settings = {"candidates": len(pool), "policy": _ALL_AGAIN}
        config = self.config.model_copy(update=settings)
        prepared = self.prepared
        asked = Recommender(prepared.store, prepared.retriever, self.pack, self.engine, config)
        n = min(config.candidates, _LISTED if config.strategy == "json" else config.candidates)
        only = Filter(allow=frozenset(pool)) if pool is not None else case.query.filter
        return await asked.arecommend(case.query.user.user_id, n, context=case.query.context, filter=only)

    def _ranked(self, answer: Recommendation, k: int) -> Ranked:
        if answer.fallback:
            return Ranked(())
        listed = self.config.strategy == "json"
        ids = [item.item_id for item in answer.items if item.reason or not listed][:k]
        logprobs = [found.model_logprob for found in answer.trace.candidates if found.model_logprob is not None]
        if not logprobs:
            return Ranked(ids)
        top = max(logprobs)
        return Ranked(ids, 1 / sum(math.exp(value - top) for value in logprobs))


def _cost(answers: Sequence[Recommendation], seconds: float) -> dict[str, float]:
    """Rates, each of all answers but for reasons, and what answering took."""
    found: Counter[str] = Counter()
    for answer in answers:
        trace = answer.trace
        found["fallbacks"] += answer.fallback is not None
        found["invalid labels"] += trace.invalid_labels > 0
        found["repeated labels"] += trace.repeated_labels > 0
        found["truncated"] += trace.truncated
        found["retried"] += trace.retried
        found["calls"] += trace.model_calls
        found["prompt tokens"] += answer.usage.prompt_tokens
        found["cached tokens"] += answer.usage.cached_tokens
        found["written tokens"] += answer.usage.completion_tokens
    each = {name: count / len(answers) for name, count in found.items()}
    reasons = sum(item.reason is not None for answer in answers for item in answer.items)
    rejected = sum(len(answer.trace.rejected_reasons) for answer in answers)
    latencies = sorted(answer.timings_ms.total / 1000 for answer in answers)
    return {
        **each,
        "rejected reasons": rejected / reasons if reasons else 0.0,
        "p50 s": latencies[len(latencies) // 2],
        "p99 s": latencies[min(len(latencies) - 1, round(0.99 * len(latencies)))],
        "requests/s": len(answers) / seconds,
    }
