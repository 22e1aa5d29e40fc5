"""Two versions of prompts that compete: what is believed of them, who explores, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eval.variants import simulate
from genrec.contest import Contest, Counts, probability_of_more
from genrec.types import ArmCount

_CONTEST = Contest(salt="s")
_NOTHING: Counts = {"production": ArmCount(lists=0, taken=0), "candidate": ArmCount(lists=0, taken=0)}
_BETTER: Counts = {"production": ArmCount(lists=400, taken=40), "candidate": ArmCount(lists=400, taken=60)}


@pytest.mark.parametrize(
    ("ours", "theirs"), [((0, 0), (0, 0)), ((10, 3), (20, 4)), ((500, 60), (900, 80)), ((4, 4), (3, 0))]
)
def test_the_chance_to_be_better_is_that_of_draws(ours: tuple[int, int], theirs: tuple[int, int]) -> None:
    counts = [ArmCount(lists=lists, taken=taken) for lists, taken in (ours, theirs)]
    drawn = [
        stats.beta(1 + one.taken, 1 + one.lists - one.taken).rvs(200_000, random_state=number)
        for number, one in enumerate(counts)
    ]
    assert probability_of_more(*counts) == pytest.approx(float(np.mean(drawn[0] > drawn[1])), abs=0.005)


@given(st.integers(0, 3000), st.integers(0, 3000), st.floats(0, 1), st.floats(0, 1))
def test_one_of_two_is_better(lists: int, others: int, rate: float, other: float) -> None:
    a = ArmCount(lists=lists, taken=int(lists * rate))
    b = ArmCount(lists=others, taken=int(others * other))
    assert probability_of_more(a, b) + probability_of_more(b, a) == pytest.approx(1, abs=1e-6)


def test_choices_come_as_often_as_they_say() -> None:
    choices = [_CONTEST.choose("ann", seed, _BETTER) for seed in range(3000)]
    assert not _CONTEST.holds_out("ann")
    share = np.mean([choice.label == "candidate" for choice in choices])
    assert share == pytest.approx(_CONTEST.share(_BETTER), abs=0.02)
    weighed = sum(1 / choice.probability for choice in choices if choice.label == "production")
    assert weighed == pytest.approx(len(choices), rel=0.3)  # inverse propensity gives every list back


def test_the_same_request_and_counts_give_the_same_choice_and_others_another() -> None:
    first = [_CONTEST.choose(f"u{n}", 7, _BETTER) for n in range(50)]
    assert first == [_CONTEST.choose(f"u{n}", 7, _BETTER) for n in range(50)]
    assert {choice.label for choice in first if not choice.holdout} == {"production", "candidate"}


def test_who_is_held_out_stays_so_and_gets_production_for_sure() -> None:
    held = [user for user in map(str, range(5000)) if _CONTEST.holds_out(user)]
    assert len(held) / 5000 == pytest.approx(0.1, abs=0.02)
    for counts in (_NOTHING, _BETTER):
        choices = [_CONTEST.choose(user, seed, counts) for seed, user in enumerate(held)]
        assert {(choice.label, choice.probability, choice.holdout) for choice in choices} == {("production", 1, True)}
    assert set(held) != {user for user in map(str, range(5000)) if Contest(salt="t").holds_out(user)}


def test_the_worse_version_is_still_tried() -> None:
    lost = {"production": ArmCount(lists=10_000, taken=5000), "candidate": ArmCount(lists=10_000, taken=10)}
    assert _CONTEST.share(lost) == _CONTEST.least


@pytest.mark.parametrize("rates", [(0.1, 0.2), (0.2, 0.1)])
def test_the_better_version_gets_the_lists(rates: tuple[float, float]) -> None:
    runs = [simulate(rates, 3000, _CONTEST, seed) for seed in range(3)]
    for run in runs:
        assert run.share == pytest.approx(0.95 if rates[1] > rates[0] else 0.05, abs=0.03)
        assert run.regret["contest"] < run.regret["fixed half"]
        assert run.held_out > 100
        assert run.held_out_candidates == 0
    if rates[1] > rates[0]:
        assert all(run.regret["contest"] < run.regret["production"] for run in runs)
