"""Does an adapter write worse reasons? Those that held-back people would have been shown, checked as in serving."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from genrec.learn.sentences import Occasion, Outcome
from genrec.statistics import FEWEST, Paired, Values, paired

_MARGIN = 0.02
"""How far the mean rate over users may be worse: so one prompt of fifty does not decide."""
_LEVEL = 0.05
"""Of p, below which a change is beyond chance."""


class Change(BaseModel):
    """What a candidate adds to the rate of an outcome: the mean over users, with its interval and p where they are
    enough.
    """

    model_config = ConfigDict(frozen=True)

    difference: float
    interval: tuple[float, float]
    p: float


class Told(BaseModel):
    """Of how many prompts the words had each outcome, by what writes now and by the candidate."""

    model_config = ConfigDict(frozen=True)

    prompts: int
    users: int
    current: Mapping[Outcome, int]
    candidate: Mapping[Outcome, int]
    rejected: Change
    passed: Change

    @property
    def wins(self) -> bool:
        """Whether more of what the candidate writes passes, beyond chance."""
        return self.passed.difference > 0 and self.passed.p < _LEVEL


def tell(occasions: Sequence[Occasion], current: Sequence[str], candidate: Sequence[str]) -> Told:
    """Check what both wrote behind the same prompts; their order is that of the occasions."""
    now, then = (
        [occasion.check(text)[0] for occasion, text in zip(occasions, texts, strict=True)]
        for texts in (current, candidate)
    )
    users = [occasion.user_id for occasion in occasions]
    return Told(
        prompts=len(occasions),
        users=len(set(users)),
        current={outcome: now.count(outcome) for outcome in get_args(Outcome)},
        candidate={outcome: then.count(outcome) for outcome in get_args(Outcome)},
        rejected=_change(users, now, then, "rejected"),
        passed=_change(users, now, then, "passed"),
    )


def causes(told: Told) -> Iterator[str]:
    """Why not, in words: more is rejected, or less is said that passes; or nothing was there to judge by."""
    if not told.prompts:
        yield "no reason of anybody held back is there to judge by: let --reasons be more than 0"
    if told.rejected.difference > _MARGIN:
        yield f"it raises the rate of rejected reasons: {_said(told, 'rejected', told.rejected)}"
    if told.passed.difference < -_MARGIN:
        yield f"it writes fewer reasons that pass the check: {_said(told, 'passed', told.passed)}"


def _said(told: Told, outcome: Outcome, change: Change) -> str:
    low, high = change.interval
    return (
        f"{told.current[outcome]} of {told.prompts} now, {told.candidate[outcome]} with it "
        f"({change.difference:+.1%} of a user's, {low:+.1%} to {high:+.1%})"
    )


def _change(users: Sequence[str], current: Sequence[Outcome], candidate: Sequence[Outcome], of: Outcome) -> Change:
    theirs, ours = (_rates(users, side, of) for side in (current, candidate))
    pair = paired(ours, theirs) if len(ours) >= FEWEST else Paired(float((ours - theirs).sum()), 0, 0, 1.0, len(ours))
    return Change(difference=pair.difference, interval=(pair.low, pair.high), p=pair.p)


def _rates(users: Sequence[str], outcomes: Sequence[Outcome], of: Outcome) -> Values:
    """Of each user the share of their prompts with an outcome."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for user, outcome in zip(users, outcomes, strict=True):
        found[user].append(outcome == of)
    return np.array([np.mean(had) for had in found.values()])
