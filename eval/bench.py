"""Both ranking strategies on the same requests, alternating, on one running engine.

`labels, ranking` asks for the order alone, `labels, answer` for order and reasons. `json` is one list that
carries its reasons with it: its order cannot be had cheaper. Both strategies see 20 candidates and
show 5 items; the model has weight, so that neither may leave candidates out. New users are ones that the engine
has not seen: the prefix cache helps only with what different users share. Then the same users ask again, at
another hour: system text, attributes and history are equal, the order of the candidates is not.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

from genrec.config import Config
from genrec.engine import gpus
from genrec.recommender import Recommender
from genrec.store import Store
from genrec.types import Recommendation, Strategy, Usage
from retrieval import Context, User

_CANDIDATES, _SHOWN = 20, 5
_CASES: dict[str, tuple[Strategy, bool]] = {
    "labels, ranking": ("labels", False),
    "labels, answer": ("labels", True),
    "json": ("json", True),
}


def compare(recommender: Recommender, users: int, rounds: int, status: Callable[[str], None]) -> dict[str, Any]:
    """Time each case `rounds` times on new users, then on the same users again; the first round is not counted."""
    strangers = _Strangers(recommender.store)
    cases = {name: _variant(recommender, strangers.store, *case) for name, case in _CASES.items()}
    measured = {name: _Measured() for name in cases}
    for number in range(rounds + 1):
        for name, variant in cases.items():
            status(f"round {number} of {rounds}: {name}")
            visitors = strangers.next(users)
            alone = _seconds(variant, strangers.next(2), "09:00", side_by_side=False)
            new = _seconds(variant, visitors, "09:00", side_by_side=True)
            again = _seconds(variant, visitors, "21:00", side_by_side=True)
            if number:
                measured[name].add(alone, new, again)
    labels, listed = measured["labels, ranking"], measured["json"]
    return {
        "model": recommender.engine.model,
        "rows": [{"strategy": name, **found.row()} for name, found in measured.items()],
        "labels_to_json": {
            "one at a time": round(median(labels.alone) / median(listed.alone), 2),
            "all at once, new users": round(median(labels.new) / median(listed.new), 2),
            "all at once, the same users again": round(median(labels.again) / median(listed.again), 2),
        },
    }


@dataclass
class _Measured:
    """Requests per second of each round, and the answers they gave."""

    alone: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    first_answers: list[Recommendation] = field(default_factory=list)
    second_answers: list[Recommendation] = field(default_factory=list)

    def add(self, alone: _Timed, new: _Timed, again: _Timed) -> None:
        self.alone.append(alone.per_second)
        self.new.append(new.per_second)
        self.again.append(again.per_second)
        self.first_answers += [*alone.answers, *new.answers]
        self.second_answers += again.answers

    def row(self) -> dict[str, str]:
        """One line of the table; cached is the share of prompt tokens served from the prefix cache."""
        usage = sum((answer.usage for answer in self.first_answers), Usage())
        return {
            "s, one at a time": _spread([1 / speed for speed in self.alone]),
            "requests/s, new users": _spread(self.new),
            "cached": _cached(self.first_answers),
            "requests/s, again": _spread(self.again),
            "cached again": _cached(self.second_answers),
            "tokens in": str(round(usage.prompt_tokens / len(self.first_answers))),
            "out": str(round(usage.completion_tokens / len(self.first_answers))),
        }


@dataclass(frozen=True)
class _Timed:
    per_second: float
    answers: Sequence[Recommendation]


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


def _seconds(recommender: Recommender, user_ids: Sequence[str], clock: str, *, side_by_side: bool) -> _Timed:
    context = Context.model_validate({"time": f"2026-11-23T{clock}"})
    start = perf_counter()
    if side_by_side:
        answers = asyncio.run(_all_at_once(recommender, user_ids, context))
    else:
        answers = [recommender.recommend(user_id, _SHOWN, context=context) for user_id in user_ids]
    return _Timed(len(user_ids) / (perf_counter() - start), answers)


async def _all_at_once(recommender: Recommender, user_ids: Sequence[str], context: Context) -> list[Recommendation]:
    asked = (recommender.arecommend(user_id, _SHOWN, context=context) for user_id in user_ids)
    return list(await asyncio.gather(*asked))


def _cached(answers: Sequence[Recommendation]) -> str:
    usage = sum((answer.usage for answer in answers), Usage())
    return f"{usage.cached_tokens / usage.prompt_tokens:.0%}"


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
