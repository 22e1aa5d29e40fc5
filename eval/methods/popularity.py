"""The same list for everybody: what most users took, of all times or of late."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.method import Catalogue, Params, Scores
from eval.methods.tuning import Baseline
from retrieval.fit import Case

LATEST = (1.0, 0.3, 0.1, 0.03)
"""Shares of the latest takes that are counted."""


class Popularity:
    """Counts of takers; where takes have times, only of the latest share of them (Ji et al., SIGIR 2020)."""

    def __init__(self, catalogue: Catalogue, settings: Params) -> None:
        timed = catalogue.by_time
        latest = timed[len(timed) - round(settings["latest"] * len(timed)) :]
        kept = latest if len(timed) else np.concatenate(catalogue.sequences)
        self._counts = np.bincount(kept, minlength=len(catalogue.items)).astype(np.float32)

    def scores(self, cases: Sequence[Case]) -> Scores:
        return np.broadcast_to(self._counts, (len(cases), len(self._counts)))


POP = Baseline("pop", Popularity, {"latest": LATEST})
