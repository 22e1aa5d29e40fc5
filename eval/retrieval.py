"""How good the candidates are before any language model: leave-one-out over the whole catalogue.

Each user's last take is the target, the one before it is for validation. Weights are fitted to validation items
by a retriever that knows neither; then it learns the validation items and ranks everything but what the user met
before. Targets tune nothing, and weights that were saved beside the data are not used: those may know the targets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import numpy as np

from eval.metrics import coverage, hit_rate, long_tail, ndcg, share_of
from genrec.errors import DataError
from genrec.store import Store
from retrieval import Event, Policy, Query, Retriever
from retrieval.fit import FEWEST_CASES, Case, fit, hide_last
from retrieval.weights import SIGNALS

_CUTOFFS = (5, 10)
_CANDIDATES = (20, 50, 100)
_COMPARED = 2000
"""Users whose lists the tables compare; the figures above them are of all users."""
_SEED = 20261124
_FEW = 50
_POLICIES = {
    "popularity_discount 0.1": Policy(popularity_discount=0.1),
    "popularity_discount 0.3": Policy(popularity_discount=0.3),
    "diversity 0.2": Policy(diversity=0.2),
    "diversity 0.5": Policy(diversity=0.5),
    "explore 1": Policy(explore=1),
    "explore 2": Policy(explore=2),
}

Status = Callable[[str], None]
Build = Callable[[Sequence[Event]], Retriever]
"""Makes a retriever that knows the store's items and users, and only these events."""
Lists = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Split:
    """One user's history with the last take hidden; `before` and `validation` hide the last but one as well."""

    user_id: str
    known: Sequence[Event]
    target: Event
    before: Sequence[Event] | None
    validation: Event | None


def measure(store: Store, build: Build, status: Status, *, tables: bool) -> dict[str, Any]:
    """Fit on validation items, then rank for every user with a target.

    Raises:
        DataError: too few users have two takes to hide.
    """
    splits = list(_split(store))
    hidden = {split.user_id: split for split in splits}
    cases = [_case(store, s.user_id, s.before, s.validation) for s in splits if s.before and s.validation]
    if len(cases) < FEWEST_CASES:
        raise DataError(f"{len(cases)} users took two items after a first one: fitting needs {FEWEST_CASES} of them")
    started = perf_counter()
    retriever = build([event for user_id in store.user_ids for event in _before(store, user_id, hidden)])
    fitted = fit(retriever, cases, lambda done, of: status(f"fitting weights: {done} of {of}"))
    retriever = Retriever(retriever.knowledge, fitted.weights)
    retriever.knowledge.add_events(split.validation for split in splits if split.validation)
    fit_s = perf_counter() - started
    tests = [_case(store, split.user_id, split.known, split.target) for split in splits]
    started = perf_counter()
    metrics, error = _metrics(retriever, tests, status)
    result: dict[str, Any] = {
        "users": len(tests),
        "items": len(store.items),
        "metrics": metrics,
        "standard_error": error,
        "weights": fitted.weights.model_dump(),
        "validation": {"cases": fitted.cases, "ndcg@10 before": fitted.before, "ndcg@10 after": fitted.after},
        "seconds": {"fit": round(fit_s, 1), "rank": round(perf_counter() - started, 1)},
    }
    if tables:
        compared = random.Random(_SEED).sample(tests, min(len(tests), _COMPARED))
        result["signals"] = _ablation(retriever, compared, status)
        result["policies"] = _policies(retriever, compared, status)
    return result


def _split(store: Store) -> Iterator[Split]:
    for user_id in store.user_ids:
        if last := hide_last(store.history(user_id)):
            before = hide_last(last[0])
            yield Split(user_id, *last, *(before or (None, None)))


def _before(store: Store, user_id: str, hidden: Mapping[str, Split]) -> Sequence[Event]:
    """What may be known while weights are fitted."""
    if user_id not in hidden:
        return store.history(user_id)
    split = hidden[user_id]
    return split.known if split.before is None else split.before


def _case(store: Store, user_id: str, history: Sequence[Event], target: Event) -> Case:
    """A request at the moment of the target, in its context."""
    return Case(Query(store.user(user_id), history, target.moment), target.item_id)


def _metrics(retriever: Retriever, cases: Sequence[Case], status: Status) -> tuple[dict[str, float], float]:
    """Every figure of the report, and the standard error of NDCG@10."""
    lists, ranks = [], []
    for number, case in enumerate(cases):
        if not number % 200:
            status(f"ranking for user {number} of {len(cases)}")
        found = retriever.rank(case.query, max(_CANDIDATES)).tolist()
        lists.append(found[: max(_CUTOFFS)])
        ranks.append(_rank(retriever, found, case))
    metrics = {f"hr@{k}": mean(hit_rate(rank, k) for rank in ranks) for k in _CUTOFFS}
    metrics |= {f"ndcg@{k}": mean(ndcg(rank, k) for rank in ranks) for k in _CUTOFFS}
    metrics |= {f"recall@{k}": mean(hit_rate(rank, k) for rank in ranks) for k in _CANDIDATES}
    metrics |= _spread(retriever, lists)
    gains = [ndcg(rank, max(_CUTOFFS)) for rank in ranks]
    return {name: round(value, 5) for name, value in metrics.items()}, round(stdev(gains) / len(gains) ** 0.5, 5)


def _rank(retriever: Retriever, found: Sequence[int], case: Case) -> int | None:
    row = retriever.knowledge.catalogue.row(case.target)
    return found.index(row) + 1 if row in found else None


def _spread(retriever: Retriever, lists: Lists) -> dict[str, float]:
    """How much of the catalogue is shown, and how much of what is shown few people took."""
    size = len(retriever.knowledge.catalogue)
    tail = long_tail(retriever.knowledge.behaviour.every_count(size).tolist())
    return {"coverage@10": coverage(lists, size), "long_tail@10": share_of(lists, tail)}


def _ablation(retriever: Retriever, cases: Sequence[Case], status: Status) -> list[dict[str, Any]]:
    """Each signal alone, and all but each: with the fitted weights otherwise."""
    weights = retriever.weights
    nothing = dict.fromkeys(SIGNALS, 0.0)
    variants = {"all": weights}
    heard = _heard(retriever, cases)
    for name in heard:
        variants[f"{name} alone"] = weights.model_copy(update={**nothing, name: 1.0})
        variants[f"without {name}"] = weights.model_copy(update={name: 0.0})
    gains: dict[str, list[float]] = {name: [] for name in variants}
    orders = {name: Retriever(retriever.knowledge, variant) for name, variant in variants.items()}
    for number, case in enumerate(cases):
        if not number % 100:
            status(f"signals, alone and left out: user {number} of {len(cases)}")
        features = retriever.features(case.query)
        for name, variant in orders.items():
            found = variant.order(features, max(_CUTOFFS), Policy()).tolist()
            gains[name].append(ndcg(_rank(retriever, found, case), max(_CUTOFFS)))
    everything = np.array(gains["all"])
    return [
        {
            "signal": name,
            "weight": getattr(weights, name),
            "ndcg@10 alone": round(mean(gains[f"{name} alone"]), 5),
            "ndcg@10 without": round(mean(gains[f"without {name}"]), 5),
            "what it adds": round(float(np.mean(everything - gains[f"without {name}"])), 5),
            "standard error": round(float(np.std(everything - gains[f"without {name}"]) / len(cases) ** 0.5), 5),
        }
        for name in heard
    ]


def _heard(retriever: Retriever, cases: Sequence[Case]) -> list[str]:
    """The signals that have anything to say about these requests: without an instruction two have not."""
    sums = sum(np.abs(retriever.features(case.query).matrix).sum(axis=1) for case in cases[:_FEW])
    names = [signal.name for signal in retriever.knowledge.signals]
    return [name for name, total in zip(names, np.asarray(sums).tolist(), strict=True) if total]


def _policies(retriever: Retriever, cases: Sequence[Case], status: Status) -> list[dict[str, Any]]:
    """What each policy costs in NDCG, and what it gives in coverage and long tail."""
    rows = []
    for name, policy in {"none": Policy(), **_POLICIES}.items():
        status(f"policies: {name}")
        lists = []
        for number, case in enumerate(cases):
            asked = policy.model_copy(update={"seed": number})
            found = retriever.retrieve(replace(case.query, policy=asked), max(_CUTOFFS))
            lists.append([retriever.knowledge.catalogue.row(candidate.item.item_id) for candidate in found])
        gains = [ndcg(_rank(retriever, found, case), max(_CUTOFFS)) for found, case in zip(lists, cases, strict=True)]
        spread = {key: round(value, 5) for key, value in _spread(retriever, lists).items()}
        rows.append({"policy": name, "ndcg@10": round(mean(gains), 5), **spread})
    return rows
