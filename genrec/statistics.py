"""How sure a mean is, and whether two ways differ: intervals and paired tests over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
"""One number for each user."""

FEWEST = 2
_CONFIDENCE = 0.95
_RESAMPLES = 2000
_FLIPS = 4999
_BATCH = 50
_SEED = 20261125

Verdict = Literal["better", "worse", "no difference"]


@dataclass(frozen=True)
class Mean:
    """A mean over users and where 95% of the means of resampled users lie."""

    mean: float
    low: float
    high: float
    users: int

    def text(self, digits: int = 4) -> str:
        """`0.0759 (0.0730-0.0789)`."""
        return f"{self.mean:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


@dataclass(frozen=True)
class Paired:
    """What one way adds to another over the same users: the mean difference, its interval, and a p-value.

    `p` is the chance of a difference at least this wide if both were the same.
    """

    difference: float
    low: float
    high: float
    p: float
    users: int

    def verdict(self, level: float = 0.05) -> Verdict:
        """`no difference` says that none was shown, at this level of `p`."""
        if self.p >= level:
            return "no difference"
        return "better" if self.difference > 0 else "worse"


def mean_of(values: Values) -> Mean:
    """The mean with a percentile bootstrap interval (Efron and Tibshirani, 1993), 2,000 resamples of users.

    Raises ValueError for fewer than two values.
    """
    low, high = _interval(values)
    return Mean(float(values.mean()), low, high, len(values))


def paired(ours: Values, theirs: Values) -> Paired:
    """Compare two ways over the same users, in the same order.

    The interval is a bootstrap of the differences; `p` is of a randomisation test with 4,999 drawn flips of sign
    (Smucker et al., A Comparison of Statistical Significance Tests for IR Evaluation, CIKM 2007).

    Raises ValueError for fewer than two users, or another number of them on one side.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} users on one side and {len(theirs)} on the other: compare the same ones")
    differences = ours - theirs
    low, high = _interval(differences)
    return Paired(float(differences.mean()), low, high, _p_of(differences), len(differences))


def _interval(values: Values) -> tuple[float, float]:
    if len(values) < FEWEST:
        raise ValueError(f"{len(values)} users: an interval needs {FEWEST}")
    if not np.ptp(values):
        return float(values[0]), float(values[0])
    from scipy.stats import bootstrap  # it takes long to load, and most commands compare nothing

    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def _p_of(differences: Values) -> float:
    """Users without a difference have none with the other sign either, so the test leaves them out."""
    changed = differences[differences != 0]
    if len(changed) < FEWEST:
        return 1.0  # of one difference, either sign is as wide
    from scipy.stats import permutation_test

    found = permutation_test(
        (changed,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=_FLIPS,
        batch=_BATCH,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)
