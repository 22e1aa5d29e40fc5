"""Words → items: BM25 over the texts of the catalogue, bm25s behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrieval.lists import NOTHING, KeptLists, Sparse

Scores = npt.NDArray[np.float32]

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A run of letters and digits; Chinese and Japanese are written without spaces, so there each sign is a word."""


class LexicalIndex:
    """BM25 (Robertson and Zaragoza, 2009; in the variant of Lucene) as a share of a perfect match.

    Statistics of words are those of all texts, so `build` reads them all again.
    """

    def __init__(self) -> None:
        # Not at the top: bm25s loads llvmlite, and a process of vLLM's that imported it would not start.
        import bm25s

        self._new_index = bm25s.BM25
        self._index: bm25s.BM25 | None = None
        self._size = 0
        self._likes = KeptLists()

    def build(self, texts: Sequence[str]) -> None:
        """Index the text of every row, in order."""
        words = [_words(text) for text in texts]
        self._size, self._index = len(texts), None
        self._likes.forget_all()
        if any(words):
            self._index = self._new_index()
            self._index.index(words, show_progress=False)

    def like(self, row: int, text: str) -> Sparse:
        """BM25 of every row that shares a word with `text`, over that of `row`, whose text it is."""

        def count(row: int) -> Sparse:
            scores = self._scores(text)
            return _over(scores, float(scores[row]))

        return self._likes.of(row, count) if row < self._size else NOTHING

    def match(self, text: str) -> Sparse:
        """BM25 of every row that shares a word with `text`, over that of the best row: in (0, 1]."""
        scores = self._scores(text)
        return _over(scores, float(scores.max(initial=0.0)))

    def _scores(self, text: str) -> Scores:
        words = list(dict.fromkeys(_words(text)))
        if self._index is None or not words:
            return np.zeros(self._size, np.float32)
        return np.asarray(self._index.get_scores(words))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _over(scores: Scores, top: float) -> Sparse:
    if top <= 0:
        return NOTHING
    rows = np.flatnonzero(scores > 0)
    return rows, scores[rows].astype(np.float64) / top
