"""Is one prompt better than another? Both answer the same users, about the same items in the same order.

What a user took last is hidden, and put among the items that retrieval finds without it. The model alone orders them,
so that a prompt is judged by what it adds, and explains the first ones. Everything is compared user by user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from genrec.config import Config
from genrec.prompting import Pack
from genrec.recommender import Recommender
from genrec.statistics import Values, paired
from genrec.threads import beside
from genrec.types import PromptVersion, Recommendation
from retrieval import Filter
from retrieval.fit import Case

_CUTOFF = 10
_EXPLAINED = 5
_SIDE_BY_SIDE = 8

Winner = Literal["a", "b", "no difference"]


class Figure(BaseModel):
    """One measure of both sides over the same users, b minus a, and who wins by it, if anybody does.

    `interval` holds 95% of the means of resampled users; `p` is of a paired randomisation test.
    """

    model_config = ConfigDict(frozen=True)

    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p: float
    winner: Winner


class Comparison(BaseModel):
    """What two packs of prompts are worth on the same users.

    `figures`: `ndcg@10` of the hidden item, higher is better; `accepted`, the share of the shown items whose reason is
    the model's own and passed the check, higher; `fallbacks`, the share of answers that failed, lower; `tokens` read
    and written for an answer, lower; `seconds` until it was there with other requests beside it, lower. `winner` goes
    by `ndcg@10`, then, where that shows no difference, by `accepted`.
    """

    model_config = ConfigDict(frozen=True)

    a: PromptVersion
    b: PromptVersion
    model: str
    users: int
    candidates: int
    figures: Mapping[str, Figure]
    winner: Winner
    decided_by: Literal["ndcg@10", "accepted"] | None


@dataclass(frozen=True)
class _Question:
    case: Case
    pool: frozenset[str]


_LOWER_IS_BETTER = {"fallbacks", "tokens", "seconds"}
_DECIDING: tuple[Literal["ndcg@10", "accepted"], ...] = ("ndcg@10", "accepted")


async def compare(
    recommender: Recommender, a: Pack, b: Pack, cases: Sequence[Case], progress: Callable[[int, int], None]
) -> Comparison:
    """Ask both packs about each case. `recommender` must not know of the cases' items; its own pack is not used.

    Raises:
        ValueError: fewer than two cases. PromptError: a template fails on a request.
    """
    answers: dict[str, list[Recommendation]] = {"a": [], "b": []}
    size = recommender.config.candidates
    for start in range(0, len(cases), _SIDE_BY_SIDE):
        some = [await _question(recommender, case, size) for case in cases[start : start + _SIDE_BY_SIDE]]
        for number, (side, pack) in enumerate((("a", a), ("b", b))):
            answers[side] += await asyncio.gather(*(_ask(recommender, pack, question) for question in some))
            progress(2 * start + (number + 1) * len(some), 2 * len(cases))
    sides = {side: _figures(found, cases) for side, found in answers.items()}
    figures = {name: _figure(name, sides["a"][name], sides["b"][name]) for name in sides["a"]}
    decided = next((name for name in _DECIDING if figures[name].winner != "no difference"), None)
    return Comparison(
        a=PromptVersion(name=a.name, version=a.version),
        b=PromptVersion(name=b.name, version=b.version),
        model=recommender.engine.model,
        users=len(cases),
        candidates=size,
        figures=figures,
        winner=figures[decided].winner if decided else "no difference",
        decided_by=decided,
    )


async def _question(recommender: Recommender, case: Case, size: int) -> _Question:
    """The best candidates that do not hold the hidden item, and that item."""
    found = await beside(recommender.retriever.retrieve, case.query, size)
    ids = [candidate.item.item_id for candidate in found if candidate.item.item_id != case.target]
    return _Question(case, frozenset([*ids[: size - 1], case.target]))


async def _ask(recommender: Recommender, pack: Pack, question: _Question) -> Recommendation:
    config = Config(
        candidates=recommender.config.candidates,
        history=recommender.config.history,
        model_weight=1.0,
        deadline_s=3600,
        language=recommender.config.language,
    )
    asked = Recommender(recommender.store, recommender.retriever, pack, recommender.engine, config)
    query, wanted = question.case.query, Filter(allow=question.pool)
    # Only the shown ones are explained, and the hidden item's place is known from all scores in the trace.
    return await asked.arecommend(query.user.user_id, _EXPLAINED, context=query.context, filter=wanted)


def _figures(answers: Sequence[Recommendation], cases: Sequence[Case]) -> dict[str, Values]:
    return {
        "ndcg@10": np.array([_gain(answer, case.target) for answer, case in zip(answers, cases, strict=True)]),
        "accepted": np.array([_own(answer) for answer in answers]),
        "fallbacks": np.array([float(answer.fallback is not None) for answer in answers]),
        "tokens": np.array([float(a.usage.prompt_tokens + a.usage.completion_tokens) for a in answers]),
        "seconds": np.array([answer.timings_ms.total / 1000 for answer in answers]),
    }


def _own(answer: Recommendation) -> float:
    """A plain reason is none of the model's, whether it said nothing, something wrong, or did not answer."""
    own = [item.reason is not None and item.reason.source == "llm" for item in answer.items]
    return sum(own) / len(own) if own else 0.0


def _gain(answer: Recommendation, target: str) -> float:
    """NDCG@10 of the hidden item in the model's order; 0 for an answer that fell back. Ties count against it."""
    scores = {found.item_id: found.model_logprob for found in answer.trace.candidates}
    hidden = scores.get(target)
    if answer.fallback or hidden is None:
        return 0.0
    rank = sum(score is not None and score >= hidden for score in scores.values())
    return float(1 / np.log2(1 + rank)) if rank <= _CUTOFF else 0.0


def _figure(name: str, a: Values, b: Values) -> Figure:
    pair = paired(b, a)
    winner: Winner = "no difference"
    if pair.verdict() != "no difference":
        winner = "b" if (pair.difference > 0) != (name in _LOWER_IS_BETTER) else "a"
    return Figure(
        a=round(float(a.mean()), 5),
        b=round(float(b.mean()), 5),
        difference=round(pair.difference, 5),
        interval=(round(pair.low, 5), round(pair.high, 5)),
        p=round(pair.p, 4),
        winner=winner,
    )
