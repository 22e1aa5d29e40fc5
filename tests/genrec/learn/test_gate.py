"""Who may rank: only what wins for people whom it never saw, and harms no group of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from genrec.learn.canary import canaries, failures
from genrec.learn.examples import Example, Prompt
from genrec.learn.gate import Verdict, Way, fit_share, judge
from genrec.learn.sentences import Outcome
from genrec.learn.told import Change, Told
from genrec.prompting import load_pack
from genrec.statistics import Values
from genrec.weighing import WeightFit

_FIT = WeightFit(weight=0.5, best=0.5, before=0.4, after=0.5, standard_error=0.01, cases=100)


def _examples(count: int = 120) -> list[Example]:
    """Lists of ten in which a retriever knows a little of what was taken; two of each user, who are of two groups."""
    draw = np.random.default_rng(1)
    found = []
    for number in range(count):
        taken = int(draw.integers(10))
        retrieval = draw.normal(size=10)
        retrieval[taken] += 1
        user = number // 2
        found.append(
            Example(
                prompt=Prompt([{"role": "user", "content": "?"}], 10),
                user_id=f"u{user}",
                attributes={"city": "Oslo" if user % 2 else "Lima"},
                time=None,
                retrieval=tuple(retrieval.tolist()),
                taken=(taken,),
                sought=1,
            )
        )
    return found


def _said(examples: Sequence[Example], knows: Callable[[Example], float]) -> list[Values]:
    """What a model says that knows so much of each take."""
    draw = np.random.default_rng(2)
    rows = []
    for example in examples:
        row = draw.normal(size=10)
        row[list(example.taken)] += knows(example)
        rows.append(row)
    return rows


def _judged(knows: Callable[[Example], float], fit: WeightFit | None = _FIT, wrong: Sequence[str] = ()) -> Verdict:
    examples = _examples()
    now = Way("none", 0.0, _said(examples, lambda _: 0.0))
    candidate = Way("new", fit.weight if fit else 0.0, _said(examples, knows))
    return judge(examples, now, candidate, fit, 12, wrong)


def test_one_that_knows_more_may_rank() -> None:
    found = _judged(lambda _: 3.0)
    assert found.refused == ()
    assert found.difference > 0
    assert found.interval[0] > 0
    assert found.users == 60
    assert found.lists == 120
    assert found.candidate.alone > found.retriever > found.current.alone


def test_one_that_knows_nothing_may_not() -> None:
    found = _judged(lambda _: 0.0)
    assert any("it does not win over what ranks now" in cause for cause in found.refused)


def test_one_that_wins_for_one_group_at_the_cost_of_another_may_not() -> None:
    found = _judged(lambda example: 6.0 if example.attributes["city"] == "Oslo" else -0.5)
    assert found.difference > 0
    (gap,) = found.gaps
    assert gap.attribute == "city"
    assert gap.candidate > gap.current
    assert [cause.split(":")[0] for cause in found.refused] == ["it widens the gap by city"]


def test_small_groups_are_not_compared() -> None:
    examples = [replace(e, attributes={"city": e.user_id}) for e in _examples()]
    way = Way("none", 0.0, _said(examples, lambda _: 0.0))
    assert judge(examples, way, way, _FIT, 12, ()).gaps == ()


_BETTER = Change(difference=0.3, interval=(0.1, 0.5), p=0.01)
_SAME = Change(difference=0.0, interval=(0.0, 0.0), p=1.0)


@pytest.mark.parametrize(
    ("passed", "knows", "weight", "wins"),
    [(_BETTER, 0.0, 0.0, True), (_SAME, 0.0, 0.0, False), (_BETTER, 3.0, 0.5, True), (_BETTER, -3.0, 0.5, False)],
)
def test_one_that_writes_better_may_write_while_it_ranks_no_worse(
    passed: Change, knows: float, weight: float, *, wins: bool
) -> None:
    examples = _examples()
    now, candidate = (Way(str(by), by, _said(examples, lambda _: knows)) for by in (0.0, weight))
    counts: dict[Outcome, int] = {"passed": 1, "ended": 0, "rejected": 1}
    told = Told(prompts=2, users=2, current=counts, candidate=counts, rejected=_SAME, passed=passed)
    fit = _FIT.model_copy(update={"weight": weight})
    assert (judge(examples, now, candidate, fit, 12, (), told).refused == ()) == wins


def test_what_canaries_say_is_a_cause() -> None:
    assert _judged(lambda _: 3.0, wrong=["it reads no more"]).refused == ("it reads no more",)


def test_a_weight_that_was_not_earned_is_a_cause() -> None:
    useless = _FIT.model_copy(update={"weight": 0.0})
    assert "no weight beats 0 by two standard errors" in _judged(lambda _: 3.0, useless).refused[0]
    assert "validation has too few lists" in _judged(lambda _: 3.0, None).refused[0]


def test_the_weight_is_fitted_on_validation() -> None:
    examples = _examples(400)
    assert fit_share(examples, _said(examples, lambda _: 3.0)).weight > 0.2  # type: ignore[union-attr]
    assert fit_share(examples, _said(examples, lambda _: -3.0)).weight == 0  # type: ignore[union-attr]
    assert fit_share(_examples(29), _said(_examples(29), lambda _: 3.0)) is None


def test_all_that_was_taken_counts() -> None:
    """Of three that somebody took two are in the list: both at its head are worth more than one, and not yet all."""
    (example,) = [replace(e, taken=(2, 5), sought=3, retrieval=(0.0,) * 10) for e in _examples(1)]
    ways = [Way(name, 1.0, [np.isin(np.arange(10), places) * 1.0]) for name, places in (("one", [2]), ("both", [2, 5]))]
    found = judge([example], *ways, _FIT, 12, ())
    assert 0 < found.current.ndcg < found.candidate.ndcg < 1


def test_canaries_are_the_samples_of_a_pack_in_several_orders() -> None:
    prompts = canaries(load_pack("movies"), "en")
    assert len(prompts) == 12
    assert len({str(prompt.messages) for prompt in prompts}) == 12


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([], "no samples"),
        ([np.array([0.0, np.nan])], "not finite"),
        ([np.array([0.0, 5.0]), np.array([1.0, 2.0])], "all 2 canary prompts were answered with B"),
    ],
)
def test_a_canary_that_fell(scores: list[Values], said: str) -> None:
    assert said in failures(scores)[0]
    assert failures([np.array([0.0, 5.0]), np.array([3.0, 2.0])]) == []
