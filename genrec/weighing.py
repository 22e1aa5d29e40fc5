"""How much the model's ranking counts beside the retriever's: found on held-out takes, and 0 until it is earned."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from genrec.errors import DataError
from genrec.recommender import Recommender
from genrec.threads import beside
from retrieval import Policy
from retrieval.fit import Case

FEWEST_CASES = 30
"""Fewer lists with the hidden item in them say nothing about a weight."""
_STEPS = 20
_CUTOFF = 10
_CERTAIN = 2.0
"""Standard errors by which a weight has to beat 0."""
_SIDE_BY_SIDE = 16

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One list: standard scores of retriever and model, and the places of what was taken.

    `sought`: how many items could have been in it.
    """

    retrieval: Scores
    model: Scores
    taken: Sequence[int]
    sought: int = 1


class WeightFit(BaseModel):
    """The weight found, NDCG@10 on the cases with 0 and with the best weight, and how sure the difference is.

    `weight` is the best one where it beats 0 by two standard errors of the paired difference, else 0.
    """

    model_config = ConfigDict(frozen=True)

    weight: float
    best: float
    before: float
    after: float
    standard_error: float
    cases: int


def fit_weight(cases: Sequence[Judged]) -> WeightFit:
    """Try weights from 0 to 1 in steps of 0.05. Raises ValueError for fewer than 30 cases."""
    if len(cases) < FEWEST_CASES:
        raise ValueError(f"{len(cases)} lists hold the hidden item: {FEWEST_CASES} are needed")
    tried = [step / _STEPS for step in range(_STEPS + 1)]
    gains = {weight: [gain(case, weight) for case in cases] for weight in tried}
    best = max(tried, key=lambda weight: (mean(gains[weight]), -weight))
    differences = [after - before for after, before in zip(gains[best], gains[0.0], strict=True)]
    error = stdev(differences) / math.sqrt(len(cases))
    return WeightFit(
        weight=best if mean(differences) > _CERTAIN * error else 0.0,
        best=best,
        before=mean(gains[0.0]),
        after=mean(gains[best]),
        standard_error=error,
        cases=len(cases),
    )


def gain(case: Judged, weight: float) -> float:
    """NDCG@10 of the fused order."""
    return ndcg((1 - weight) * case.retrieval + weight * case.model, case.taken, case.sought)


def ndcg(scores: Scores, taken: Sequence[int], sought: int = 1) -> float:
    """NDCG@10 of what was taken, all of it of the same worth (Järvelin and Kekäläinen, 2002).

    `sought`: how many items the best list would hold. Ties count against what was taken.
    """
    wanted = np.isin(np.arange(len(scores)), taken)
    ranks = 1 + np.flatnonzero(wanted[np.lexsort((wanted, -scores))])
    return sum(map(_discount, ranks.tolist())) / sum(map(_discount, range(1, sought + 1)))


def _discount(rank: int) -> float:
    return 1 / math.log2(1 + rank) if rank <= _CUTOFF else 0.0


async def judge(
    recommender: Recommender, cases: Sequence[Case], most: int, progress: Callable[[int, int], None]
) -> list[Judged]:
    """What retriever and model think of the first `most` lists that hold the item which the user took next.

    `recommender` must not know of these takes. Of its configuration weight, reasons and policy are not used.

    Raises:
        EngineError, AnswerError: the model failed.
    """
    size = recommender.config.candidates
    settings = {"model_weight": 1.0, "explain": False, "on_failure": "raise", "policy": Policy()}
    config = recommender.config.model_copy(update=settings)
    asked = Recommender(recommender.store, recommender.retriever, recommender.pack, recommender.engine, config)
    found: list[Judged] = []
    for start in range(0, len(cases), _SIDE_BY_SIDE):
        some = cases[start : start + _SIDE_BY_SIDE]
        held = [case for case in some if case.target in await beside(_ids, recommender, case, size)]
        found += await asyncio.gather(*(_judged(asked, case, size) for case in held[: most - len(found)]))
        progress(len(found), most)
        if len(found) == most:
            break
    return found


def _ids(recommender: Recommender, case: Case, size: int) -> set[str]:
    return {candidate.item.item_id for candidate in recommender.retriever.retrieve(case.query, size)}


async def _judged(recommender: Recommender, case: Case, size: int) -> Judged:
    query = case.query
    answer = await recommender.arecommend(query.user.user_id, size, context=query.context)
    model = {item.item_id: item.score for item in answer.items}
    ids = [candidate.item_id for candidate in answer.trace.candidates]
    if case.target not in ids:
        raise DataError(f"user {query.user.user_id}: the list changed while it was asked about: fit a quiet store")
    retrieval = np.array([candidate.retrieval_score for candidate in answer.trace.candidates])
    spread = float(retrieval.std()) or 1.0
    return Judged((retrieval - retrieval.mean()) / spread, np.array([model[i] for i in ids]), [ids.index(case.target)])
