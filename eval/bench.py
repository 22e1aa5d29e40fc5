"""Both ranking strategies on the same requests, alternating, on one running engine.

`labels, ranking` asks for the order alone, `labels, answer` for order and reasons. `json` is one list that
carries its reasons with it: its order cannot be had cheaper. Both strategies see 20 candidates and
show 5 items; the model has weight, so that neither may leave candidates out. Every request comes from a user
that the engine has not seen: the prefix cache helps only with what different users share.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

from genrec.config import Config
from genrec.engine import gpus
from genrec.recommender import Recommender
from genrec.store import Store
from genrec.types import Recommendation, Strategy, Usage
from retrieval import User

_CANDIDATES, _SHOWN = 20, 5
_CASES: dict[str, tuple[Strategy, bool]] = {
    "labels, ranking": ("labels", False),
    "labels, answer": ("labels", True),
    "json": ("json", True),
}


def compare(recommender: Recommender, users: int, rounds: int, status: Callable[[str], None]) -> dict[str, Any]:
    """Time each case `rounds` times, one request at a time and all at once; the first round is not counted."""
    strangers = _Strangers(recommender.store)
    cases = {name: _variant(recommender, strangers.store, *case) for name, case in _CASES.items()}
    single: dict[str, list[float]] = {name: [] for name in cases}
    together: dict[str, list[float]] = {name: [] for name in cases}
    answers: dict[str, list[Recommendation]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, variant in cases.items():
            status(f"round {number} of {rounds}: {name}")
            alone = _seconds(variant, strangers.next(2), side_by_side=False)
            everyone = _seconds(variant, strangers.next(users), side_by_side=True)
            if number:
                single[name].append(alone[0] / 2)
                together[name].append(users / everyone[0])
                answers[name] += [*alone[1], *everyone[1]]
    rows = [_row(name, single[name], together[name], answers[name]) for name in cases]
    ratio = median(together["labels, ranking"]) / median(together["json"])
    return {"model": recommender.engine.model, "rows": rows, "ranking_ratio": round(ratio, 2)}


class _Strangers:
    """New users without end: each a copy of a known one, told apart by an attribute at the top of the prompt."""

    def __init__(self, known: Store) -> None:
        self._known = known
        self._models = itertools.cycle(user_id for user_id in known.user_ids if known.history(user_id))
        self._number = itertools.count(1)
        self.store = Store(known.items)

    def next(self, count: int) -> list[str]:
        """The ids of `count` users who were not there before."""
        return [self._add(next(self._models), str(next(self._number))) for _ in range(count)]

    def _add(self, model: str, visitor: str) -> str:
        user = User(user_id=visitor, attributes={"visitor": visitor, **self._known.user(model).attributes})
        history = [event.model_copy(update={"user_id": visitor}) for event in self._known.history(model)]
        self.store.add_users([user])
        self.store.add_events(history)
        return visitor


def device() -> str:
    """The hardware that the figures are from."""
    return gpus()[0] if gpus() else f"{os.cpu_count()} cores, {platform.machine()}, no GPU"


def _variant(recommender: Recommender, store: Store, strategy: Strategy, explain: bool) -> Recommender:
    config = Config(
        strategy=strategy, candidates=_CANDIDATES, explain=explain, model_weight=0.5, deadline_s=600, on_failure="raise"
    )
    return Recommender(store, recommender.retriever, recommender.pack, recommender.engine, config)


def _seconds(
    recommender: Recommender, user_ids: Sequence[str], *, side_by_side: bool
) -> tuple[float, list[Recommendation]]:
    start = perf_counter()
    if side_by_side:
        answers = asyncio.run(_all_at_once(recommender, user_ids))
    else:
        answers = [recommender.recommend(user_id, _SHOWN) for user_id in user_ids]
    return perf_counter() - start, answers


async def _all_at_once(recommender: Recommender, user_ids: Sequence[str]) -> list[Recommendation]:
    return list(await asyncio.gather(*(recommender.arecommend(user_id, _SHOWN) for user_id in user_ids)))


def _row(
    name: str, seconds: Sequence[float], per_second: Sequence[float], answers: Sequence[Recommendation]
) -> dict[str, Any]:
    usage = sum((answer.usage for answer in answers), Usage())
    return {
        "strategy": name,
        "seconds, one at a time": _spread(seconds),
        "requests/s, all at once": _spread(per_second),
        "prompt tokens": round(usage.prompt_tokens / len(answers)),
        "cached": f"{usage.cached_tokens / usage.prompt_tokens:.0%}",
        "written": round(usage.completion_tokens / len(answers)),
    }


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
