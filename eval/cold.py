"""Does it help to know who somebody is before they did anything? Users whose whole history is hidden.

Five folds of users. The users of one are cold: nothing of what they did is counted, and a request carries their
attributes alone. Weights are fitted to takes of the users of the next fold, before these are counted. NDCG@10 is
measured against the user's first take and against all takes. As a control the same retriever is asked with the
attributes of somebody else: what is left of a gain then is not due to knowing the user.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

from eval.method import Ranked, Status
from eval.metrics import per_user
from eval.retrieval import Build
from genrec.errors import DataError
from genrec.statistics import Values
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
    ranked: dict[str, list[Ranked]] = {name: [] for name in (*_METHODS, _CONTROL)}
    taken: list[list[str]] = []
    for number, cold in enumerate(folds):
        status(f"cold users: fold {number + 1} of {_FOLDS}")
        retrievers = _retrievers(store, build, cold, folds[(number + 1) % _FOLDS])
        for user_id, other in zip(cold, cold[1:] + cold[:1], strict=True):
            taken.append(_taken(store, user_id))
            for name, retriever in retrievers.items():
                found = retriever.rank(Query(store.user(other if name == _CONTROL else user_id)), _CUTOFF)
                ranked[name].append(Ranked([retriever.knowledge.catalogue.item(row).item_id for row in found.tolist()]))
    wanted = {"first": [{items[0]} for items in taken], "all": [set(items) for items in taken]}
    gains = {
        which: {name: per_user(lists, relevant)[f"ndcg@{_CUTOFF}"] for name, lists in ranked.items()}
        for which, relevant in wanted.items()
    }
    return {"users": len(users), "rows": [_row(name, gains) for name in ranked]}


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


def _row(name: str, gains: dict[str, dict[str, Values]]) -> dict[str, Any]:
    """One line of the table: NDCG@10, the gain over popularity, the standard error of the paired difference."""
    row: dict[str, Any] = {"ranks by": name}
    for label, found in gains.items():
        ours, base = found[name], found["popularity"]
        row[label] = round(float(ours.mean()), 4)
        row[f"{label}: gain"] = f"{100 * (ours.mean() / base.mean() - 1):+.1f}%"
        row[f"{label}: ±"] = f"{100 * (ours - base).std() / len(ours) ** 0.5 / base.mean():.1f}%"
    return row
