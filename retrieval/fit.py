"""Weights that put what people took next where they would have seen it: a deterministic search on held-out takes.

Each user's last take is hidden, and the retriever, which must not know it, ranks it among all items. The score
is linear in the weights of the signals, so what the signals say is computed once and weights are tried on it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from retrieval.cache import Progress
from retrieval.cues import strength
from retrieval.retriever import Query, Retriever
from retrieval.types import Event
from retrieval.weights import MOST, Weights

FEWEST_CASES = 50
"""Fewer hidden takes say nothing about a weight."""
_MOST_CASES = 2000
_CUTOFF = 10
_FACTORS = (0.0, 0.25, 0.5, 0.7, 1.4, 2.0, 4.0)
_SMALL = 0.01
"""What a weight of 0 is tried with, times the factors."""
_ROUNDS = 8
_WORTH = 1e-3
"""A change must better the figure by this share: less is noise."""
_COUNTING = {
    "step_decay": (0.5, 0.65, 0.8, 0.9, 1.0),
    "half_life_days": (7.0, 30.0, 90.0, 365.0),
    "dislike": (0.0, 0.25, 0.5, 1.0),
}
"""How events count: what else is tried."""


@dataclass(frozen=True)
class Case:
    """A request and the item that the user took next, which the retriever does not know of.

    `liked` is False where what the user did with it speaks against it, as a low rating.
    """

    query: Query
    target: str
    liked: bool = True


class Fit(BaseModel):
    """The weights found, and NDCG@10 on the cases with the weights before and after."""

    model_config = ConfigDict(frozen=True)

    weights: Weights
    before: float
    after: float
    cases: int


def hide_last(history: Sequence[Event]) -> tuple[Sequence[Event], Event] | None:
    """What a user did before the last take, and that take: the last event that speaks for an item new to the user.

    None where nothing is hidden or nothing is left before it.
    """
    for place in range(len(history) - 1, 0, -1):
        event = history[place]
        if strength(event) > 0 and event.item_id not in {earlier.item_id for earlier in history[:place]}:
            return history[:place], event
    return None


def fit(retriever: Retriever, cases: Sequence[Case], progress: Progress | None = None, seed: int = 0) -> Fit:
    """Search weights by coordinate ascent on NDCG@10, then how events count, then weights again.

    At most 2000 cases are drawn with `seed`. The same cases give the same weights.

    Raises:
        ValueError: fewer than 50 cases.
    """
    if len(cases) < FEWEST_CASES:
        raise ValueError(f"{len(cases)} users have a take to hide and something before it: {FEWEST_CASES} are needed")
    drawn = random.Random(seed).sample(list(cases), min(len(cases), _MOST_CASES))
    tables = _Tables(retriever, drawn, progress)
    start = retriever.weights
    before = tables.of(start).ndcg(start)
    best = _climb(tables.of(start), start)
    for name in tables.counting:
        best = _count(tables, best, name)
    table = tables.of(best)
    best = _climb(table, best)
    return Fit(weights=best, before=before, after=table.ndcg(best), cases=len(drawn))


def _climb(table: _Table, weights: Weights) -> Weights:
    """Change one weight at a time for as long as that helps."""
    current, score = table.vector(weights), table.ndcg(weights)
    for _ in range(_ROUNDS):
        started = score
        for place in range(len(current)):
            base = current[place] or _SMALL
            for factor in _FACTORS:
                tried = current.copy()
                tried[place] = np.clip(base * factor, -MOST, MOST)
                if (reached := table.ndcg_of(tried)) > score * (1 + _WORTH):
                    current, score = tried, reached
        if score == started:
            break
    found = {name: round(float(weight), 6) for name, weight in zip(table.names, current, strict=True)}
    return weights.model_copy(update=found)


def _count(tables: _Tables, weights: Weights, name: str) -> Weights:
    """Try other values of one of `_COUNTING`."""
    others = [value for value in _COUNTING[name] if value != getattr(weights, name)]
    tried = [weights, *(weights.model_copy(update={name: value}) for value in others)]
    scores = [tables.of(option).ndcg(option) for option in tried]
    best = int(np.argmax(scores))
    return tried[best] if scores[best] > scores[0] * (1 + _WORTH) else weights


class _Tables:
    """What the signals say of every case, computed anew for each way that events count."""

    def __init__(self, retriever: Retriever, cases: Sequence[Case], progress: Progress | None) -> None:
        self._retriever, self._cases, self._progress = retriever, cases, progress
        events = [event for case in cases for event in case.query.history]
        matters = {
            "step_decay": bool(events),
            "half_life_days": any(event.timestamp for event in events),
            "dislike": any(strength(event) < 0 for event in events),
        }
        self.counting = [name for name in _COUNTING if matters[name]]
        self._done = 0
        self._most = len(cases) * (1 + sum(1 + len(_COUNTING[name]) for name in self.counting))
        self._last: tuple[tuple[float, ...], _Table] | None = None

    def of(self, weights: Weights) -> _Table:
        key = tuple(getattr(weights, name) for name in _COUNTING)
        if self._last is None or self._last[0] != key:
            self._last = (key, self._build(weights))
        return self._last[1]

    def _build(self, weights: Weights) -> _Table:
        retriever = Retriever(self._retriever.knowledge, weights)
        found = []
        for case in self._cases:
            features = retriever.features(case.query)
            target = np.flatnonzero(features.rows == retriever.knowledge.catalogue.row(case.target))
            if len(target):
                found.append((features.matrix.astype(np.float32), int(target[0])))
            self._done += 1
            if self._progress and not self._done % 100:
                self._progress(self._done, self._most)
        return _Table([signal.name for signal in retriever.knowledge.signals], found, len(self._cases))


class _Table:
    """The features of cases whose item was found, side by side: shape (signals, cases, widest pool)."""

    def __init__(self, names: Sequence[str], found: Sequence[tuple[npt.NDArray[np.float32], int]], cases: int) -> None:
        width = max((matrix.shape[1] for matrix, _ in found), default=0)
        self.names, self._cases = names, cases
        self._features = np.zeros((len(names), len(found), width), np.float32)
        self._beyond = np.ones((len(found), width), np.bool_)
        self._targets = np.array([place for _, place in found], np.int64)
        for number, (matrix, _) in enumerate(found):
            self._features[:, number, : matrix.shape[1]] = matrix
            self._beyond[number, : matrix.shape[1]] = False

    def vector(self, weights: Weights) -> npt.NDArray[np.float64]:
        return np.array([getattr(weights, name) for name in self.names])

    def ndcg(self, weights: Weights) -> float:
        return self.ndcg_of(self.vector(weights))

    def ndcg_of(self, vector: npt.NDArray[np.float64]) -> float:
        """Mean of 1 / log2(1 + rank) within the first ten; an item that no signal put forward counts 0."""
        scores = np.tensordot(vector.astype(np.float32), self._features, axes=1)
        scores[self._beyond] = -np.inf
        hidden = scores[np.arange(len(scores)), self._targets]
        ranks = (scores >= hidden[:, None]).sum(axis=1)
        return float((1 / np.log2(1 + ranks[ranks <= _CUTOFF])).sum() / self._cases)
