"""Intervals hold what they promise, and a difference is claimed only where one was shown."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from genrec.statistics import mean_of, paired


def test_an_interval_is_near_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    found, error = mean_of(values), values.std(ddof=1) / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.03)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.03)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    draw = np.random.default_rng(1)
    held = [found.low <= 0 <= found.high for found in (mean_of(draw.normal(0, 1, 60)) for _ in range(120))]
    assert 0.88 <= np.mean(held) <= 1


def test_a_p_value_is_near_that_of_the_paired_t_test() -> None:
    draw = np.random.default_rng(2)
    theirs = draw.normal(0, 1, 200)
    ours = theirs + draw.normal(0.1, 0.6, 200)
    assert paired(ours, theirs).p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, abs=0.02)


def test_verdicts() -> None:
    base = np.zeros(100)
    better = np.array([1.0] * 40 + [0.0] * 60)
    assert paired(better, base).verdict() == "better"
    assert paired(base, better).verdict() == "worse"
    assert paired(base, base).verdict() == "no difference"
    assert paired(base, base).p == 1
    assert (paired(base, base).low, paired(base, base).high) == (0, 0)


def test_one_user_who_differs_shows_nothing() -> None:
    one = np.array([0.7, 0.0, 0.0])
    assert paired(one, np.zeros(3)).p == 1
    assert paired(one, np.zeros(3)).verdict() == "no difference"


def test_the_same_numbers_give_the_same_answer() -> None:
    values = np.random.default_rng(3).random(50)
    assert mean_of(values) == mean_of(values.copy())
    assert paired(values, values[::-1].copy()) == paired(values, values[::-1].copy())


def test_too_few_or_different_users_are_refused() -> None:
    with pytest.raises(ValueError, match="1 users: an interval needs 2"):
        mean_of(np.array([1.0]))
    with pytest.raises(ValueError, match="2 users on one side and 3 on the other"):
        paired(np.zeros(2), np.zeros(3))
