"""Items that the same users took: ItemKNN, by `implicit`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from scipy import sparse

from eval.method import Catalogue, Params, Scores
from eval.methods.tuning import Baseline
from retrieval.fit import Case

_KINDS = {"cosine": CosineRecommender, "tf-idf": TFIDFRecommender, "bm25": BM25Recommender}


class Neighbours:
    """Sums of similarities to what the user took (Sarwar et al., WWW 2001), each step back counting `recency` times as
    much as the one after it.
    """

    def __init__(self, catalogue: Catalogue, settings: Params) -> None:
        self._catalogue, self._recency = catalogue, settings["recency"]
        model = _KINDS[settings["similarity"]](K=settings["neighbours"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # implicit makes a matrix that it then warns of
            model.fit(catalogue.matrix(), show_progress=False)
        self._similarity = model.similarity

    def scores(self, cases: Sequence[Case]) -> Scores:
        met = [self._catalogue.met(case) for case in cases]
        weights = [self._recency ** np.arange(len(rows))[::-1] for rows in met]
        ends = np.cumsum([0, *map(len, met)])
        shape = (len(cases), len(self._catalogue.items))
        wanted = sparse.csr_matrix((np.concatenate(weights), np.concatenate(met), ends), shape)
        return np.asarray((wanted @ self._similarity).toarray(), np.float32)


ITEM_KNN = Baseline(
    "itemknn",
    Neighbours,
    {"similarity": tuple(_KINDS), "neighbours": (50, 200, 1000), "recency": (1.0, 0.8, 0.5)},
)
