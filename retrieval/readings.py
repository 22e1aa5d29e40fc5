"""What a signal makes of one request: which items it would put forward, and how strongly each cue speaks for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retrieval.behaviour import Behaviour
from retrieval.cues import Cue
from retrieval.encoder import Vectors
from retrieval.index import Index, Mask, Rows, Vector
from retrieval.index.base import nearest
from retrieval.lists import Sparse, Values, add_up, look_up

Affinities = npt.NDArray[np.float64]
"""How strongly each cue speaks for each item, shape (cues, rows); most lie in [0, 1]."""

_NO_ROWS = np.empty(0, np.int64)


class Reading(Protocol):
    """What a signal makes of one request."""

    @property
    def cues(self) -> Sequence[Cue]:
        """The cues that this signal understands."""

    def nominate(self, k: int, allowed: Mask) -> Rows:
        """Up to k allowed items that this signal speaks for, best first."""

    def affinities(self, rows: Rows) -> Affinities:
        """How strongly each cue speaks for each of these items."""


@dataclass(frozen=True)
class Near:
    """Cues as vectors, shape (cues, d)."""

    cues: Sequence[Cue]
    vectors: Vectors
    power: int
    index: Index

    _APART = 0.6
    """Two cues whose cosine is below this are different interests."""
    _INTERESTS = 4

    def nominate(self, k: int, allowed: Mask) -> Rows:
        interests = self._interests()
        found = [self.index.search(interest, -(-k // len(interests)), allowed) for interest in interests]
        return distinct(found)

    def affinities(self, rows: Rows) -> Affinities:
        if not self.cues:
            return np.zeros((0, len(rows)))
        cosines = self.vectors @ self.index.vectors(rows).T
        return np.maximum(cosines.astype(np.float64), 0.0) ** self.power

    def _interests(self) -> list[Vector]:
        """Up to four directions: each cue joins the first that it is near to, else it begins one.

        The leader algorithm (Hartigan, 1975), strongest cue first.
        """
        groups: list[tuple[Vector, Vector]] = []
        for place in sorted(range(len(self.cues)), key=lambda place: -self.cues[place].weight):
            weight, vector = self.cues[place].weight, self.vectors[place]
            if weight <= 0:
                break
            near = next((total for leader, total in groups if leader @ vector >= self._APART), None)
            if near is None:
                groups.append((vector, weight * vector))
            else:
                near += weight * vector
        return [total / max(float(np.linalg.norm(total)), 1e-9) for _, total in groups[: self._INTERESTS]]


@dataclass(frozen=True)
class Listed:
    """For each cue the items it speaks for, and how strongly."""

    cues: Sequence[Cue]
    lists: Sequence[Sparse]

    def nominate(self, k: int, allowed: Mask) -> Rows:
        rows = np.concatenate([_NO_ROWS, *(rows for rows, _ in self.lists)])
        values = [cue.weight * values for cue, (_, values) in zip(self.cues, self.lists, strict=True)]
        found, sums = add_up(rows, np.concatenate([np.empty(0), *values]), len(allowed))
        kept = allowed[found] & (sums > 0)
        return found[kept][nearest(sums[kept], k)]

    def affinities(self, rows: Rows) -> Affinities:
        return np.array([look_up(listed, rows) for listed in self.lists]).reshape(len(self.lists), len(rows))


@dataclass(frozen=True)
class SameKind:
    """Rows of a sparse matrix with unit rows. It nominates nothing: too many items are of the same kind."""

    cues: Sequence[Cue]
    rows: Rows
    matrix: sparse.csr_matrix

    def nominate(self, k: int, allowed: Mask) -> Rows:  # noqa: ARG002
        return _NO_ROWS

    def affinities(self, rows: Rows) -> Affinities:
        return np.asarray((self.matrix[rows] @ self.matrix[self.rows].T.toarray()).T, np.float64)


class Everyone:
    """One value for every item, whoever asks."""

    def __init__(self, name: str, values: Values) -> None:
        self.cues = [Cue("item", name, 1.0)]
        self._values = values

    def nominate(self, k: int, allowed: Mask) -> Rows:
        rows = np.flatnonzero(allowed & (self._values > 0))
        return rows[nearest(self._values[rows], k)]

    def affinities(self, rows: Rows) -> Affinities:
        return self._values[rows][None]


@dataclass(frozen=True)
class Lift:
    """For each cue the takes of items under its value, and their sum."""

    cues: Sequence[Cue]
    counts: Sequence[tuple[Sparse, int]]
    behaviour: Behaviour
    shrink: float

    def nominate(self, k: int, allowed: Mask) -> Rows:
        found = np.unique(np.concatenate([_NO_ROWS, *(rows for (rows, _), _ in self.counts)]))
        found = found[allowed[found]]
        sums = np.array([cue.weight for cue in self.cues]) @ self.affinities(found)
        spoken_for: Rows = found[sums > 0]
        return spoken_for[nearest(sums[sums > 0], k)]

    def affinities(self, rows: Rows) -> Affinities:
        share = self.behaviour.counts(rows) / max(1, self.behaviour.takes)
        lifts = [
            np.log((look_up(taken, rows) + self.shrink) / (total * share + self.shrink)) for taken, total in self.counts
        ]
        return np.array(lifts).reshape(len(self.cues), len(rows))


def distinct(found: Sequence[Rows]) -> Rows:
    """Every row once, the best of each list first."""
    mixed = [row for place in zip_longest(*(rows.tolist() for rows in found)) for row in place if row is not None]
    return np.fromiter(dict.fromkeys(mixed), np.int64)
