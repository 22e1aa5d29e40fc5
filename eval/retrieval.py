"""What each signal and each policy of the retriever adds and costs, over the whole catalogue, leave-one-out.

Weights are fitted to validation items by a retriever that knows neither these nor the targets; then it learns the
validation items and ranks everything but what the user met before. Weights that were saved beside the data are not
used: those may know the targets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eval.method import DEPTH, Catalogue, Ranked, Status
from eval.methods.retriever import RetrieverMethod
from eval.metrics import K, of_lists, per_user
from eval.protocols import leave_one_out
from genrec.statistics import Values, mean_of
from genrec.store import Store
from retrieval import Encoder, Event, Policy, Retriever
from retrieval.fit import Case
from retrieval.weights import SIGNALS

_FIGURES = ("hr@5", "hr@10", "ndcg@5", "ndcg@10", "recall@20", "recall@50", "recall@100")
_SPREAD = ("coverage@10", "long_tail@10")
_GOAL = "ndcg@10"
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

Build = Callable[[Sequence[Event]], Retriever]
"""Makes a retriever that knows a store's items and users, and only these events."""


def measure(store: Store, encoder: str | Encoder, status: Status, *, tables: bool) -> dict[str, Any]:
    """Fit on validation items, then rank for every user with a target.

    Raises:
        DataError: too few users have two items to hide.
    """
    split = leave_one_out(store)
    prepared = RetrieverMethod(encoder).prepared(split.training, status)
    ranked = prepared.rank(split.test, None, DEPTH, status).ranked
    catalogue = Catalogue(split.training, split.training.everything)
    users = per_user(ranked, _relevant(split.test))
    result: dict[str, Any] = {
        "users": len(split.test),
        "items": len(store.items),
        "metrics": {
            **{figure: round(float(users[figure].mean()), 5) for figure in _FIGURES},
            **_spread(ranked, catalogue),
        },
        "interval": mean_of(users[_GOAL]).text(),
        "weights": prepared.chosen,
    }
    if tables:
        compared = random.Random(_SEED).sample(list(split.test), min(len(split.test), _COMPARED))
        result["signals"] = _ablation(prepared.retriever, compared, status)
        result["policies"] = _policies(prepared.retriever, compared, catalogue, status)
    return result


def _relevant(cases: Sequence[Case]) -> list[set[str]]:
    return [{case.target} for case in cases]


def _spread(ranked: Sequence[Ranked], catalogue: Catalogue) -> dict[str, float]:
    found = of_lists(ranked, catalogue)
    return {figure: round(found[figure], 5) for figure in _SPREAD}


def _ablation(retriever: Retriever, cases: Sequence[Case], status: Status) -> list[dict[str, Any]]:
    """Each signal alone, and all but each: with the fitted weights otherwise."""
    weights = retriever.weights
    nothing = dict.fromkeys(SIGNALS, 0.0)
    variants = {"all": weights}
    heard = _heard(retriever, cases)
    for name in heard:
        variants[f"{name} alone"] = weights.model_copy(update={**nothing, name: 1.0})
        variants[f"without {name}"] = weights.model_copy(update={name: 0.0})
    ranked: dict[str, list[Ranked]] = {name: [] for name in variants}
    orders = {name: Retriever(retriever.knowledge, variant) for name, variant in variants.items()}
    catalogue = retriever.knowledge.catalogue
    for number, case in enumerate(cases):
        if not number % 100:
            status(f"signals, alone and left out: user {number} of {len(cases)}")
        features = retriever.features(case.query)
        for name, variant in orders.items():
            rows = variant.order(features, K, Policy()).tolist()
            ranked[name].append(Ranked([catalogue.item(row).item_id for row in rows]))
    gains = {name: per_user(lists, _relevant(cases))[_GOAL] for name, lists in ranked.items()}
    return [_signal(name, getattr(weights, name), gains) for name in heard]


def _signal(name: str, weight: float, gains: dict[str, Values]) -> dict[str, Any]:
    added = gains["all"] - gains[f"without {name}"]
    return {
        "signal": name,
        "weight": weight,
        "ndcg@10 alone": round(float(gains[f"{name} alone"].mean()), 5),
        "ndcg@10 without": round(float(gains[f"without {name}"].mean()), 5),
        "what it adds": round(float(added.mean()), 5),
        "standard error": round(float(added.std() / len(added) ** 0.5), 5),
    }


def _heard(retriever: Retriever, cases: Sequence[Case]) -> list[str]:
    """The signals that have anything to say about these requests: without an instruction two have not."""
    sums = sum(np.abs(retriever.features(case.query).matrix).sum(axis=1) for case in cases[:_FEW])
    names = [signal.name for signal in retriever.knowledge.signals]
    return [name for name, total in zip(names, np.asarray(sums).tolist(), strict=True) if total]


def _policies(
    retriever: Retriever, cases: Sequence[Case], catalogue: Catalogue, status: Status
) -> list[dict[str, Any]]:
    """What each policy costs in NDCG, and what it gives in coverage and long tail."""
    rows = []
    for name, policy in {"none": Policy(), **_POLICIES}.items():
        status(f"policies: {name}")
        ranked = []
        for number, case in enumerate(cases):
            asked = policy.model_copy(update={"seed": number})
            found = retriever.retrieve(replace(case.query, policy=asked), K)
            ranked.append(Ranked([candidate.item.item_id for candidate in found]))
        gain = float(per_user(ranked, _relevant(cases))[_GOAL].mean())
        rows.append({"policy": name, _GOAL: round(gain, 5), **_spread(ranked, catalogue)})
    return rows
