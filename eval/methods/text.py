"""Words alone: BM25 of what the user met last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.method import Catalogue, Params, Scores
from eval.methods.tuning import Baseline
from retrieval.fit import Case
from retrieval.lexical import LexicalIndex


class Words:
    """BM25 with the titles of the latest items as the query (Robertson and Zaragoza, 2009)."""

    def __init__(self, catalogue: Catalogue, settings: Params) -> None:
        self._catalogue, self._latest, self._field = catalogue, settings["latest"], settings["field"]
        self._index = LexicalIndex()
        self._index.build([self._text(row) for row in range(len(catalogue.items))])

    def scores(self, cases: Sequence[Case]) -> Scores:
        found = np.zeros((len(cases), len(self._catalogue.items)), np.float32)
        for number, case in enumerate(cases):
            rows, values = self._index.match(" ".join(map(self._text, self._catalogue.met(case)[-self._latest :])))
            found[number, rows] = values
        return found

    def _text(self, row: int) -> str:
        item = self._catalogue.items[row]
        return item.title if self._field == "title" else item.text()


BM25 = Baseline("bm25", Words, {"latest": (1, 3, 10), "field": ("title", "everything")})
