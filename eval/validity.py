"""Can an invalid id get out? Real requests over both strategies, and how often the model's answer needed repair."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from genrec import Recommendation, Recommender, runner
from genrec.config import Config
from genrec.types import Strategy

_CANDIDATES, _SHOWN, _HISTORY = 12, 3, 3
"""Short prompts: what is counted does not depend on their length, and two thousand are asked."""
_SIDE_BY_SIDE = 32


def count_invalid(recommender: Recommender, requests: int, status: Callable[[str], None]) -> dict[str, Any]:
    """Half of the requests by each strategy, over all users in turn, every time with another order of candidates."""
    users = recommender.store.user_ids
    rows = []
    for strategy in ("labels", "json"):
        counts = _Counts()
        for start in range(0, requests // 2, _SIDE_BY_SIDE):
            status(f"{strategy}: request {start} of {requests // 2}")
            numbers = range(start, min(start + _SIDE_BY_SIDE, requests // 2))
            asked = [users[number % len(users)] for number in numbers]
            variant = _variant(recommender, strategy, seed=start)
            for answer in runner.run(_ask(variant, asked)):
                counts.add(answer, recommender)
        rows.append({"strategy": strategy, **counts.row()})
    return {
        "model": recommender.engine.model,
        "rows": rows,
        "invalid_ids": sum(row["invalid ids"] for row in rows),
    }


class _Counts:
    """Of answers and the lists that the model gave for them."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()

    def add(self, answer: Recommendation, recommender: Recommender) -> None:
        """Count one answer."""
        ids = [item.item_id for item in answer.items]
        known = {candidate.item_id for candidate in answer.trace.candidates}
        met = {event.item_id for event in recommender.store.history(answer.user_id)}
        self._found["requests"] += 1
        self._found["invalid ids"] += sum(i not in known or i in met for i in ids) + len(ids) - len(set(ids))
        self._found["unknown labels"] += answer.trace.invalid_labels
        self._found["repeated labels"] += answer.trace.repeated_labels
        self._found["lists with repeats"] += answer.trace.repeated_labels > 0
        self._found["truncated"] += answer.trace.truncated
        self._found["retried"] += answer.trace.retried
        self._found["fallbacks"] += answer.fallback is not None

    def row(self) -> dict[str, int]:
        """All counts, those that are 0 too."""
        names = ("requests", "invalid ids", "unknown labels", "repeated labels", "lists with repeats")
        return {name: self._found[name] for name in (*names, "truncated", "retried", "fallbacks")}


def _variant(recommender: Recommender, strategy: Strategy, seed: int) -> Recommender:
    config = Config(
        strategy=strategy,
        candidates=_CANDIDATES,
        history=_HISTORY,
        model_weight=0.5,
        explain=strategy == "json",
        deadline_s=600,
        seed=seed,
    )
    return Recommender(recommender.store, recommender.retriever, recommender.pack, recommender.engine, config)


async def _ask(recommender: Recommender, users: Sequence[str]) -> list[Recommendation]:
    return list(await asyncio.gather(*(recommender.arecommend(user_id, _SHOWN) for user_id in users)))
