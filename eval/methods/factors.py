"""Factors of users and items: ALS and BPR, by `implicit`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking

from eval.method import SEED, Catalogue, Params, Scores
from eval.methods.tuning import Baseline
from retrieval.fit import Case


class Factors:
    """Products of a user's and an item's factors. A user who took nothing has none, and every item scores alike."""

    def __init__(self, catalogue: Catalogue, model: Any) -> None:
        self._catalogue = catalogue
        model.fit(catalogue.matrix(), show_progress=False)
        self._users, self._items = model.user_factors, model.item_factors

    def scores(self, cases: Sequence[Case]) -> Scores:
        users = [self._catalogue.users.get(case.query.user.user_id) for case in cases]
        known = np.array([user is not None for user in users])
        found = self._users[[user or 0 for user in users]] @ self._items.T
        return np.where(known[:, None], found, np.float32(0))


def _als(catalogue: Catalogue, settings: Params) -> Factors:
    """Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008."""
    return Factors(catalogue, AlternatingLeastSquares(**settings, iterations=15, random_state=SEED))


def _bpr(catalogue: Catalogue, settings: Params) -> Factors:
    """Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009; one thread, so that it is
    the same each time.
    """
    model = BayesianPersonalizedRanking(**settings, iterations=100, num_threads=1, random_state=SEED)
    return Factors(catalogue, model)


ALS = Baseline(
    "als", _als, {"factors": (32, 128, 256, 512), "regularization": (1.0, 10.0, 100.0), "alpha": (1.0, 40.0, 160.0)}
)
BPR = Baseline(
    "bpr",
    _bpr,
    {"factors": (64, 256), "learning_rate": (0.05, 0.2), "regularization": (0.01, 0.05, 0.1)},
)
