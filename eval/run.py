"""THE ONE PAGE of evaluation: split → each method prepares on what it may know → ranks the same cases → is measured.

Every mean has an interval, every comparison is paired over users. What a method ranked is kept in a folder with a
fingerprint of data, cases and code, so that a killed run goes on where it was and nothing is measured twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy import stats

from eval.keeping import Keeper, Kept
from eval.method import DEPTH, Catalogue, Method, Ranked, Status
from eval.metrics import PER_USER, K, calibration_error, of_lists, per_user
from eval.protocols import Split, check
from genrec.statistics import Paired, Values, mean_of, paired
from retrieval.fit import Case

GOAL = f"ndcg@{K}"
LIKED = f"{GOAL}, liked"
AGAINST = "retriever"
"""What the others are compared with, where it is among them."""


@dataclass(frozen=True)
class Measured:
    """What one method did: its lists, the figures of each user, and what it chose and cost."""

    kept: Kept
    users: Mapping[str, Values]


def evaluate(
    split: Split,
    methods: Sequence[Method],
    cases: Sequence[Case],
    pools: Sequence[Sequence[str]] | None,
    keeper: Keeper,
    status: Status,
) -> dict[str, Measured]:
    """Rank some of the split's test cases by each method.

    `pools` are the items that each case may be answered with; None takes all that the user has not met.

    Raises:
        LeakError: the split gives away what is asked.
    """
    check(split)
    relevant = [{case.target} for case in cases]
    found = {}
    for method in methods:
        kept = keeper.get(method.name)
        if kept is None:
            started = perf_counter()
            ranker, chosen = method.prepare(split.training, status)
            prepared_s = perf_counter() - started
            answers = ranker.rank(cases, pools, DEPTH, status)
            seconds = {"prepare": round(prepared_s, 1), "rank": round(perf_counter() - started - prepared_s, 1)}
            kept = Kept(answers.ranked, chosen, answers.cost, seconds)
            keeper.put(method.name, kept)
        found[method.name] = Measured(kept, per_user(kept.ranked, relevant))
    return found


def summary(
    split: Split, cases: Sequence[Case], found: Mapping[str, Measured], *, sizes: Sequence[int] | None
) -> dict[str, Any]:
    """Every figure by method; `sizes` are those of the pools, where there were any."""
    catalogue = Catalogue(split.training, split.training.everything)
    against = AGAINST if AGAINST in found else next(iter(found))
    pairs = {
        name: paired(one.users[GOAL], found[against].users[GOAL]) for name, one in found.items() if name != against
    }
    corrected = _corrected({name: pair.p for name, pair in pairs.items()})
    depth = min(sizes) if sizes else len(split.training.items)
    methods = {}
    for name, one in found.items():
        means = {figure: mean_of(one.users[figure]) for figure in PER_USER if _deep_enough(figure, depth)}
        methods[name] = {
            **{figure: round(mean.mean, 5) for figure, mean in means.items()},
            "interval": _ends(means[GOAL].low, means[GOAL].high),
            **_liked(one.users[GOAL], cases),
            "intervals": {figure: _ends(mean.low, mean.high) for figure, mean in means.items()},
            "lists": {figure: round(value, 5) for figure, value in of_lists(one.kept.ranked, catalogue).items()},
            "rates": {
                "nothing ranked": sum(not ranked.item_ids for ranked in one.kept.ranked) / len(cases),
                **one.kept.cost,
            },
            **_stated(one.kept.ranked, cases),
            "chosen": dict(one.kept.chosen),
            "seconds": dict(one.kept.seconds),
        }
        if name in pairs:
            methods[name][f"against {against}"] = _comparison(pairs[name], corrected[name])
    return {"protocol": split.protocol, "users": len(cases), "items": len(catalogue.items), "methods": methods}


def _corrected(p: Mapping[str, float]) -> dict[str, float]:
    """For as many comparisons as were made: by Benjamini and Hochberg (1995)."""
    if not p:
        return {}
    return dict(zip(p, stats.false_discovery_control(list(p.values())).tolist(), strict=True))


def _comparison(pair: Paired, p: float) -> dict[str, Any]:
    settled = Paired(pair.difference, pair.low, pair.high, p, pair.users)
    return {
        f"{GOAL} difference": round(pair.difference, 5),
        "interval": _ends(pair.low, pair.high),
        "p": round(pair.p, 4),
        "p, corrected": round(p, 4),
        "verdict": settled.verdict(),
    }


def _liked(gains: Values, cases: Sequence[Case]) -> dict[str, Any]:
    """The same where the hidden item was liked: to foresee what somebody will dislike is no merit of a recommender."""
    liked = np.array([case.liked for case in cases])
    if liked.all() or not liked.any():
        return {}
    mean = mean_of(gains[liked])
    return {LIKED: round(mean.mean, 5), f"{LIKED}, interval": _ends(mean.low, mean.high), f"{LIKED}, users": mean.users}


def _stated(ranked: Sequence[Ranked], cases: Sequence[Case]) -> dict[str, float]:
    """How true the stated chances of first items were, for methods that state any."""
    answered = [(one, case) for one, case in zip(ranked, cases, strict=True) if one.item_ids]
    said = [(one.probability, one.item_ids[0] == case.target) for one, case in answered]
    stated = [(probability, hit) for probability, hit in said if probability is not None]
    if not stated:
        return {}
    return {"calibration error": round(calibration_error([p for p, _ in stated], [hit for _, hit in stated]), 4)}


def _deep_enough(figure: str, depth: int) -> bool:
    """Recall of as many items as there are candidates is no figure."""
    return not figure.startswith("recall") or int(figure.partition("@")[2]) < depth


def _ends(low: float, high: float) -> list[float]:
    return [round(low, 5), round(high, 5)]
