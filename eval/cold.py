"""Does it help to know who somebody is before they did anything? Users whose whole history is hidden.

Five folds of users. The users of one are cold: nothing of what they did is counted, and a request carries their
attributes alone. Weights are fitted to takes of the users of the next fold, before these are counted. NDCG@10 is
measured against the user's first take and against all takes. As a control the same retriever is asked with the
attributes of somebody else: what is left of a gain then is not due to knowing the user.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from eval.metrics import ndcg
from eval.retrieval import Build, Status
from genrec.errors import DataError
from genrec.store import Store
from retrieval import Query, Retriever, Weights
from retrieval.cues import strength
from retrieval.fit import FEWEST_CASES, Case, fit
from retrieval.weights import SIGNALS

_FOLDS = 5
_SEED = 20261124
_CUTOFF = 10
_TAKES = 10
"""Weights are fitted to that many takes of a user, drawn with the seed."""
_METHODS = {
    "popularity": ("popularity",),
    "popularity, also recent": ("popularity", "recent"),
    "attributes": ("popularity", "recent", "attribute"),
}
"""What each method ranks by. Weights are fitted wherever there is more than one."""
_CONTROL = "attributes of somebody else"


def compare(store: Store, build: Build, status: Status) -> dict[str, Any]:
    """NDCG@10 of popularity and of the retriever that knows attributes, over cold users.

    Raises:
        DataError: too few users have attributes and took anything.
    """
    users = [user_id for user_id in store.user_ids if store.user(user_id).attributes and _taken(store, user_id)]
    if len(users) < _FOLDS * FEWEST_CASES:
        raise DataError(f"{len(users)} users have attributes and took something: {_FOLDS * FEWEST_CASES} are needed")
    random.Random(_SEED).shuffle(users)
    folds = [users[number::_FOLDS] for number in range(_FOLDS)]
    names = [*_METHODS, _CONTROL]
    first: dict[str, list[float]] = {name: [] for name in names}
    every: dict[str, list[float]] = {name: [] for name in names}
    for number, cold in enumerate(folds):
        status(f"cold users: fold {number + 1} of {_FOLDS}")
        retrievers = _retrievers(store, build, cold, folds[(number + 1) % _FOLDS])
        for user_id, other in zip(cold, cold[1:] + cold[:1], strict=True):
            for name, retriever in retrievers.items():
                asked = store.user(other if name == _CONTROL else user_id)
                found = retriever.rank(Query(asked), _CUTOFF).tolist()
                taken = retriever.knowledge.catalogue.rows(_taken(store, user_id)).tolist()
                first[name].append(ndcg(found.index(taken[0]) + 1 if taken[0] in found else None, _CUTOFF))
                every[name].append(_ndcg_of_all(found, set(taken)))
    return {"users": len(users), "rows": [_row(name, first, every) for name in names]}


def _retrievers(store: Store, build: Build, cold: Collection[str], validation: Collection[str]) -> dict[str, Retriever]:
    """One for each method, which know nothing of cold users; weights are fitted before they know the others."""
    hidden = {*cold, *validation}
    known = [event for user_id in store.user_ids if user_id not in hidden for event in store.history(user_id)]
    knowledge = build(known).knowledge
    draw = random.Random(_SEED)
    cases = [
        Case(Query(store.user(user_id)), take)
        for user_id in validation
        for take in draw.sample(_taken(store, user_id), min(_TAKES, len(_taken(store, user_id))))
    ]
    found = {}
    for name, signals in _METHODS.items():
        weights = Weights(**{s: getattr(Weights(), s) if s in signals else 0.0 for s in SIGNALS})
        fitted = fit(Retriever(knowledge, weights), cases).weights if len(signals) > 1 else weights
        found[name] = Retriever(knowledge, fitted)
    found[_CONTROL] = found["attributes"]
    knowledge.add_events(event for user_id in validation for event in store.history(user_id))
    return found


def _taken(store: Store, user_id: str) -> list[str]:
    """What a user took, first to last."""
    return list(dict.fromkeys(event.item_id for event in store.history(user_id) if strength(event) > 0))


def _ndcg_of_all(found: Sequence[int], relevant: set[int]) -> float:
    """NDCG@10 where everything that the user took is relevant alike."""
    gains = [1 / math.log2(1 + rank) for rank in range(1, _CUTOFF + 1)]
    hits = [gain for gain, row in zip(gains, found, strict=False) if row in relevant]
    return sum(hits) / sum(gains[: len(relevant)])


def _row(name: str, first: dict[str, list[float]], every: dict[str, list[float]]) -> dict[str, Any]:
    """One line of the table: NDCG@10, the gain over popularity, the standard error of the paired difference."""
    row: dict[str, Any] = {"ranks by": name}
    for label, gains in (("first", first), ("all", every)):
        ours, base = np.array(gains[name]), np.array(gains["popularity"])
        row[label] = round(float(ours.mean()), 4)
        row[f"{label}: gain"] = f"{100 * (ours.mean() / base.mean() - 1):+.1f}%"
        row[f"{label}: ±"] = f"{100 * (ours - base).std() / len(ours) ** 0.5 / base.mean():.1f}%"
    return row
