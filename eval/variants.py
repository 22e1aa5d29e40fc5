"""What the contest between two versions of prompts gains and costs, where the truth is known: simulated users.

Regret is the number of takes that are lost against always showing the better version.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrec.contest import Contest
from genrec.statistics import mean_of
from genrec.types import Arm, ArmCount

_USERS = 500
_EVERY = 20
"""Lists between two looks at the counts: they are kept for a while, and takes come late."""
_LABELS: tuple[Arm, Arm] = ("production", "candidate")


@dataclass(frozen=True)
class Run:
    """One simulated contest. `regret` by way of choosing; `share` of the candidate at its end among explorers."""

    regret: dict[str, float]
    share: float
    held_out: int
    held_out_candidates: int


def simulate(rates: Sequence[float], lists: int, contest: Contest, seed: int) -> Run:
    """`rates`: of lists of production and of the candidate of which something is taken."""
    draw = random.Random(seed)
    truth, best = dict(zip(_LABELS, rates, strict=True)), max(rates)
    made = {label: [0, 0] for label in _LABELS}
    counts = {label: ArmCount(lists=0, taken=0) for label in _LABELS}
    regret, held_out, wrong = 0.0, 0, 0
    for number in range(lists):
        if number % _EVERY == 0:
            counts = {label: ArmCount(lists=made[label][0], taken=made[label][1]) for label in _LABELS}
        chosen = contest.choose(f"u{draw.randrange(_USERS)}", draw.getrandbits(32), counts)
        regret += best - truth[chosen.label]
        taken = draw.random() < truth[chosen.label]
        if chosen.holdout:
            held_out, wrong = held_out + 1, wrong + (chosen.label != "production")
        else:
            made[chosen.label][0] += 1
            made[chosen.label][1] += taken
    fixed = lists * (best - sum(rates) / 2)
    return Run(
        {"contest": regret, "fixed half": fixed, "production": lists * (best - rates[0])},
        contest.share(counts),
        held_out,
        wrong,
    )


def compare(pairs: Sequence[Sequence[float]], lists: int, seeds: int) -> list[dict[str, Any]]:
    """A line for each pair of rates, over as many simulated contests as there are seeds."""
    return [
        _row(rates, lists, [simulate(rates, lists, Contest(salt="simulated"), seed) for seed in range(seeds)])
        for rates in pairs
    ]


def _row(rates: Sequence[float], lists: int, runs: Sequence[Run]) -> dict[str, Any]:
    regret = {name: mean_of(np.array([run.regret[name] for run in runs])).text(1) for name in runs[0].regret}
    return {
        "production": rates[0],
        "candidate": rates[1],
        "lists": lists,
        "candidate's share at the end": mean_of(np.array([run.share for run in runs])).text(2),
        **{f"regret, {name}": value for name, value in regret.items()},
        "held out": sum(run.held_out for run in runs),
        "of them explored": sum(run.held_out_candidates for run in runs),
    }
