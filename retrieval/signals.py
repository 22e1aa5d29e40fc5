"""The named parts of a retrieval score. Each says what it adds to an item's score, and because of what.

A request is read into cues. A signal answers, for each cue it understands, how strongly that cue speaks for an
item: its affinity. The score of an item is

    score(i) = Σ_signal weight(signal) · Σ_cue weight(cue) · affinity(signal, cue, i)

so every part of a score is known by its signal and its cue, and the parts sum to the score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy import sparse

from retrieval.behaviour import Behaviour, CrossCounts
from retrieval.catalogue import Catalogue
from retrieval.cues import Cue
from retrieval.encoder import Encoder
from retrieval.index import Index, Vector
from retrieval.lexical import LexicalIndex
from retrieval.lists import Sparse, Values
from retrieval.readings import Everyone, Lift, Listed, Near, Reading, SameKind
from retrieval.types import ContributionKind


class Signal(Protocol):
    """A named way to see what a request and an item have to do with each other."""

    @property
    def name(self) -> str:
        """The name of its weight in `Weights`."""

    def read(self, cues: Sequence[Cue]) -> Reading:
        """Look at a request."""


class Semantic:
    """max(0, cos(item of the cue, item))^4: texts that mean the same, by the vectors of a sentence encoder.

    The power makes a history with several interests near to what is near to one of them, not to their mean: a
    sharp kernel, as in kernel density estimation.
    """

    name = "semantic"
    _SHARPNESS = 4

    def __init__(self, catalogue: Catalogue, index: Index) -> None:
        self._catalogue, self._index = catalogue, index

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = _with_item(cues)
        vectors = self._index.vectors(self._catalogue.rows(cue.item_id for cue in mine))
        return Near(mine, vectors, self._SHARPNESS, self._index)


class Described:
    """max(0, cos(words of the cue, item)): what somebody is or says, near to the text of an item."""

    _KEPT_TEXTS = 4096

    def __init__(self, name: str, kinds: set[ContributionKind], index: Index, encoder: Encoder) -> None:
        self.name = name
        self._kinds, self._index = kinds, index
        self._vector: Callable[[str], Vector] = lru_cache(self._KEPT_TEXTS)(lambda text: encoder.encode([text])[0])

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = [cue for cue in cues if cue.kind in self._kinds]
        vectors = np.array([self._vector(cue.text) for cue in mine], np.float32)
        return Near(mine, vectors, 1, self._index)


class Lexical:
    """BM25(title of the cue's item, title of the item) over the best possible: titles that share rare words."""

    name = "lexical"

    def __init__(self, catalogue: Catalogue, titles: LexicalIndex) -> None:
        self._catalogue, self._titles = catalogue, titles

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = _with_item(cues)
        rows = [self._catalogue.row(cue.item_id) for cue in mine]
        return Listed(mine, [self._titles.like(row, self._catalogue.item(row).title) for row in rows])


class InstructionWords:
    """BM25(what the user says, whole text of the item) over the best match: the very words."""

    name = "instruction_words"

    def __init__(self, texts: LexicalIndex) -> None:
        self._texts = texts

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = [cue for cue in cues if cue.kind == "instruction"]
        return Listed(mine, [self._texts.match(cue.text) for cue in mine])


class CategoryAffinity:
    """Cosine of the categories of two items, each category weighted by log(items / items in it)."""

    name = "category"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._matrix = sparse.csr_matrix((0, 0))

    def build(self) -> None:
        """Read the categories of every row again."""
        items = self._catalogue.items()
        column: dict[str, int] = {}
        pairs = [
            (row, column.setdefault(name, len(column))) for row, item in enumerate(items) for name in {*item.categories}
        ]
        rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
        rarity = np.log(len(items) / np.maximum(np.bincount(columns, minlength=len(column)), 1))
        matrix = sparse.csr_matrix((rarity[columns], (rows, columns)), shape=(len(items), len(column)))
        norms = np.sqrt(matrix.multiply(matrix).sum(axis=1))
        self._matrix = sparse.csr_matrix(matrix.multiply(1 / np.maximum(norms, 1e-9)))

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = _with_item(cues)
        return SameKind(mine, self._catalogue.rows(cue.item_id for cue in mine), self._matrix)


class Together:
    """Co-occurrence: Σ_u 1 / log(1 + |u|) over the users u who took both, over (3 + n(cue))^0.5 · n(item)^0.3.

    A cosine over users (Sarwar et al., 2001) in which users with many items count less (Adamic and Adar, 2003),
    popular items are held back less than by the square root, and a single user does not say much.
    """

    name = "together"
    _OF_ITEM = 0.3
    _SHRINK = 3.0

    def __init__(self, catalogue: Catalogue, behaviour: Behaviour) -> None:
        self._catalogue, self._behaviour = catalogue, behaviour

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = _with_item(cues)
        return Listed(mine, [self._like(self._catalogue.row(cue.item_id)) for cue in mine])

    def _like(self, row: int) -> Sparse:
        rows, sums = self._behaviour.together(row)
        [takers] = self._behaviour.counts(np.array([row]))
        return rows, sums / ((self._SHRINK + takers) ** 0.5 * self._behaviour.counts(rows) ** self._OF_ITEM)


class After:
    """Transitions: Σ 1 / gap over the users who took the item 1 to 5 places behind the cue's, over √(10 + Σ of all).

    A first-order Markov chain with skips (as in Rendle et al., 2010). The root keeps what is well known ahead of
    what is rare, the constant keeps a single transition from saying much.
    """

    name = "after"
    _SHRINK = 10.0

    def __init__(self, catalogue: Catalogue, behaviour: Behaviour) -> None:
        self._catalogue, self._behaviour = catalogue, behaviour

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = _with_item(cues)
        return Listed(mine, [self._like(self._catalogue.row(cue.item_id)) for cue in mine])

    def _like(self, row: int) -> Sparse:
        rows, sums = self._behaviour.after(row)
        return rows, sums / (self._SHRINK + float(sums.sum())) ** 0.5


class Popularity:
    """log(1 + users who took the item) / log(1 + the most of any item): in [0, 1]."""

    name = "popularity"

    def __init__(self, catalogue: Catalogue, behaviour: Behaviour) -> None:
        self._catalogue, self._behaviour = catalogue, behaviour

    def read(self, cues: Sequence[Cue]) -> Reading:
        del cues  # it speaks for an item whoever asks
        return Everyone(self.name, _logs(self._behaviour.every_count(len(self._catalogue))))


class Recent:
    """The same of takes that count half for every month before the newest one."""

    name = "recent"

    def __init__(self, catalogue: Catalogue, behaviour: Behaviour) -> None:
        self._catalogue, self._behaviour = catalogue, behaviour

    def read(self, cues: Sequence[Cue]) -> Reading:
        del cues
        return Everyone(self.name, _logs(self._behaviour.every_recent(len(self._catalogue))))


class Affinity:
    """log((n + 10) / (e + 10)): how much more often the item is taken by people with this value, or at this
    moment, than takes of it in all let expect.

    n are the takes of the item under the value, e = takes under the value · takes of the item / all takes. The
    constant shrinks what is rare towards 0 (as the gamma-Poisson shrinker of DuMouchel, 1999).
    """

    _SHRINK = 10.0

    def __init__(self, name: ContributionKind, counts: CrossCounts, behaviour: Behaviour) -> None:
        self.name = name
        self._counts, self._behaviour = counts, behaviour

    def read(self, cues: Sequence[Cue]) -> Reading:
        mine = [cue for cue in cues if cue.kind == self.name]
        found = [self._counts.of(cue.field, cue.value) for cue in mine]
        return Lift(mine, found, self._behaviour, self._SHRINK)


def _with_item(cues: Sequence[Cue]) -> list[Cue]:
    return [cue for cue in cues if cue.item_id]


def _logs(counts: Values) -> Values:
    logs = np.log1p(counts)
    return np.asarray(logs / max(float(logs.max(initial=0.0)), 1e-9))
