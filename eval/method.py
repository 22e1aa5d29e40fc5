"""What ranks: one protocol for baselines, the retriever and the language model, and what most of them share.

A method prepares itself on `Training`, which holds nothing of what is measured, and becomes a ranker. Most rank by a
score for every item; ties go to a seeded draw that is the same for all, so that no order of the data decides.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.protocols import Training
from retrieval import Event
from retrieval.fit import Case

SEED = 20261125
DEPTH = 100
"""Items of a list that are looked at."""
_CHUNK = 256

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Status = Callable[[str], None]
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Ranked:
    """The items of one case, best first, by their ids; fewer than were asked for, or none, where a method failed.

    `probability` is what the method said the chance of its first item was, where it says such a thing.
    """

    item_ids: Sequence[str]
    probability: float | None = None


@dataclass(frozen=True)
class Answers:
    """One `Ranked` for each case, in their order, and what answering took: counts and totals by name."""

    ranked: Sequence[Ranked]
    cost: Mapping[str, float] = field(default_factory=dict)


class Ranker(Protocol):
    """Answers cases. It may know all that its training says may be known, and nothing else."""

    def rank(self, cases: Sequence[Case], pools: Sequence[Sequence[str]] | None, k: int, status: Status) -> Answers:
        """The k best items for each case: of its pool of item ids, or of all items that the user has not met."""


class Method(Protocol):
    """A way to rank."""

    @property
    def name(self) -> str:
        """As in tables and commands."""

    def prepare(self, training: Training, status: Status) -> tuple[Ranker, Params]:
        """Tune on validation, then know what was hidden for it; also what was chosen."""


def ties(item_ids: Sequence[str]) -> list[str]:
    """The ids in an order that says nothing: a stable sort by scores then leaves ties to a draw, the same each time."""
    return sorted(item_ids, key=lambda item_id: (zlib.crc32(f"{SEED} {item_id}".encode()), item_id))


class Catalogue:
    """Items, users and what they took as rows and matrices."""

    def __init__(self, training: Training, events: Sequence[Event]) -> None:
        self.items, self.people = training.items, training.people
        self.row = {item.item_id: row for row, item in enumerate(training.items)}
        sequences: dict[str, dict[int, None]] = {}
        for event in events:
            sequences.setdefault(event.user_id, {})[self.row[event.item_id]] = None
        timed = sorted((e.timestamp, self.row[e.item_id]) for e in events if e.timestamp)
        self.by_time: Rows = np.array([row for _, row in timed], np.int64)
        """The items of all events that have a time, oldest first."""
        self.users = {user_id: row for row, user_id in enumerate(sequences)}
        self.sequences: list[Rows] = [np.array(list(taken), np.int64) for taken in sequences.values()]
        """What each user took, oldest first, each item once."""

    def rows(self, item_ids: Sequence[str]) -> Rows:
        return np.array([self.row[item_id] for item_id in item_ids], np.int64)

    def met(self, case: Case) -> Rows:
        """The items of a history, oldest first, each once."""
        return self.rows(list(dict.fromkeys(event.item_id for event in case.query.history)))

    def denied(self, case: Case) -> Rows:
        """The items that a request rules out: where items are people, the asking user."""
        return self.rows([item_id for item_id in case.query.filter.deny if item_id in self.row])

    def matrix(self) -> sparse.csr_matrix:
        """1 where a user took an item; shape (users, items)."""
        ends = np.cumsum([0, *map(len, self.sequences)])
        taken = np.concatenate(self.sequences)
        return sparse.csr_matrix((np.ones(len(taken), np.float32), taken, ends), (len(self.sequences), len(self.items)))

    def counts(self) -> npt.NDArray[np.float64]:
        """How many users took each item."""
        return np.bincount(np.concatenate(self.sequences), minlength=len(self.items)).astype(np.float64)


class Scorer(Protocol):
    """Scores every item for some cases; higher is better."""

    def scores(self, cases: Sequence[Case]) -> Scores:
        """Shape (cases, items)."""


class ByScore:
    """A ranker that goes by the scores of all items."""

    def __init__(self, catalogue: Catalogue, scorer: Scorer) -> None:
        self._catalogue, self._scorer = catalogue, scorer
        # Columns in a drawn order: of equal scores the one that comes first is not the one that the data has first.
        self._drawn = np.random.default_rng(SEED).permutation(len(catalogue.items))

    def rank(self, cases: Sequence[Case], pools: Sequence[Sequence[str]] | None, k: int, status: Status) -> Answers:
        ranked: list[Ranked] = []
        for start in range(0, len(cases), _CHUNK):
            some = cases[start : start + _CHUNK]
            scores = self._scorer.scores(some)
            for number, case in enumerate(some):
                row = scores[number].copy()
                row[self._catalogue.met(case)] = -np.inf
                if pools is not None:
                    pool = np.full(len(row), -np.inf, row.dtype)
                    inside = self._catalogue.rows(pools[start + number])
                    pool[inside] = scores[number][inside]
                    row = pool
                row[self._catalogue.denied(case)] = -np.inf
                ranked.append(Ranked([self._catalogue.items[place].item_id for place in self._best(row, k)]))
            status(f"ranking for user {start + len(some)} of {len(cases)}")
        return Answers(ranked)

    def _best(self, scores: Scores, k: int) -> Rows:
        drawn = scores[self._drawn]
        k = min(k, int(np.isfinite(drawn).sum()))
        if not k:
            return np.empty(0, np.int64)
        least = np.partition(drawn, -k)[-k]
        near = np.flatnonzero(drawn >= least)
        return np.asarray(self._drawn[near[np.argsort(-drawn[near], kind="stable")[:k]]])
