"""Every baseline is tuned alike: each setting of its grid on the same validation cases, the best by NDCG@10."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from eval.method import SEED, ByScore, Catalogue, Params, Ranker, Scorer, Status
from eval.metrics import per_user
from eval.protocols import Training

_MOST_CASES = 2000
"""Validation cases, as many as the retriever's own weights are fitted to."""
_GOAL = "ndcg@10"

Make = Callable[[Catalogue, Params], Scorer]


@dataclass(frozen=True)
class Baseline:
    """A scorer of items with the settings to try."""

    name: str
    make: Make
    grid: Mapping[str, Sequence[Any]]

    def prepare(self, training: Training, status: Status) -> tuple[Ranker, Params]:
        """Choose by validation, then learn from all that may be known."""
        # Factors are small: threads of BLAS beside those of `implicit` only get in each other's way, as it warns.
        with threadpool_limits(1, user_api="blas"):
            chosen, reached = self._choose(training, status)
            catalogue = Catalogue(training, training.everything)
            ranker = ByScore(catalogue, self.make(catalogue, chosen))
        return ranker, {**chosen, **reached}

    def _choose(self, training: Training, status: Status) -> tuple[Params, Params]:
        """The best settings, and what they reached among how many."""
        cases = random.Random(SEED).sample(list(training.validation), min(_MOST_CASES, len(training.validation)))
        relevant = [{case.target} for case in cases]
        catalogue = Catalogue(training, training.events)
        settings = [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]
        found = []
        for number, setting in enumerate(settings):
            status(f"{self.name}: setting {number + 1} of {len(settings)}")
            ranker = ByScore(catalogue, self.make(catalogue, setting))
            answers = ranker.rank(cases, None, 10, lambda _: None)
            found.append(float(per_user(answers.ranked, relevant)[_GOAL].mean()))
        best = int(np.argmax(found))
        return settings[best], {f"validation {_GOAL}": round(found[best], 5), "settings tried": len(settings)}
