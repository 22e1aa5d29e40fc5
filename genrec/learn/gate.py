"""May an adapter rank what people see? Only if it wins over what ranks now, for people whom it never saw: by what it
ranks, or by what it writes while it ranks no worse.

Both rank what the retriever listed just before some of their later takes, each fused by its own weight, and are judged
by all that these people took from then on. Lists that hold nothing of it are left out: no order of theirs is better
than another. Where an adapter writes reasons, these are held against each other too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from genrec.learn.examples import Example
from genrec.learn.told import Told, causes
from genrec.ranking import standard
from genrec.statistics import FEWEST, Paired, Values, paired
from genrec.weighing import FEWEST_CASES, Judged, WeightFit, fit_weight, gain
from retrieval.cues import buckets

_FEWEST_IN_GROUP = 20
"""Users: the mean of fewer says little."""
_NO_WORSE = 0.005
"""NDCG@10 that the lists of an adapter which writes better may lose, at the lower end of the interval."""
_RESAMPLES = 2000
_SEED = 20261125


@dataclass(frozen=True)
class Way:
    """What ranks: its name, the model's weight in the fused score, and what the model says of each example's labels."""

    name: str
    weight: float
    scores: Sequence[Values]


class Side(BaseModel):
    """A way as it was judged: NDCG@10 of its fused lists over the held-back users, and of the model `alone`."""

    model_config = ConfigDict(frozen=True)

    name: str
    weight: float
    ndcg: float
    alone: float


class Gap(BaseModel):
    """How far the groups by an attribute that are served best and worst are apart, in NDCG@10.

    `interval` holds 95% of what the candidate adds to it when users are drawn anew.
    """

    model_config = ConfigDict(frozen=True)

    attribute: str
    current: float
    candidate: float
    interval: tuple[float, float]


class Verdict(BaseModel):
    """`refused` says why, a sentence for each cause; where it is empty the adapter may be promoted.

    `retriever` is the NDCG@10 of its order alone. `told`: how reasons fare; None where the base model writes them now
    and with the candidate.
    """

    model_config = ConfigDict(frozen=True)

    current: Side
    candidate: Side
    retriever: float
    users: int
    lists: int
    difference: float
    interval: tuple[float, float]
    p: float
    gaps: tuple[Gap, ...]
    fit: WeightFit | None
    canaries: int
    told: Told | None = None
    refused: tuple[str, ...]


def fit_share(validation: Sequence[Example], scores: Sequence[Values]) -> WeightFit | None:
    """The weight that a model has earned; None where the lists are too few."""
    cases = [_judged(example, said) for example, said in zip(validation, scores, strict=True)]
    return fit_weight(cases) if len(cases) >= FEWEST_CASES else None


def judge(
    examples: Sequence[Example],
    current: Way,
    candidate: Way,
    fit: WeightFit | None,
    canaries: int,
    failures: Sequence[str],
    told: Told | None = None,
) -> Verdict:
    """Hold a candidate against what ranks now. `failures`: of the canary prompts, in words."""
    by_user = [_users(examples, way) for way in (current, candidate)]
    ours, theirs = (np.array(list(found.values())) for found in reversed(by_user))
    pair = paired(ours, theirs) if len(ours) >= FEWEST else Paired(float((ours - theirs).mean()), 0, 0, 1.0, len(ours))
    gaps = tuple(_gaps(examples, *by_user))
    writes_better = told is not None and told.wins and pair.low >= -_NO_WORSE
    ranking = () if writes_better else tuple(_causes(fit, pair))
    retriever = Way("retriever", 0.0, current.scores)
    return Verdict(
        current=_side(examples, current, theirs),
        candidate=_side(examples, candidate, ours),
        retriever=_mean(examples, retriever),
        users=pair.users,
        lists=len(examples),
        difference=pair.difference,
        interval=(pair.low, pair.high),
        p=pair.p,
        gaps=gaps,
        fit=fit,
        canaries=canaries,
        told=told,
        refused=(*ranking, *_widened(gaps), *(causes(told) if told else ()), *failures),
    )


def _causes(fit: WeightFit | None, pair: Paired) -> Iterator[str]:
    if fit is None:
        yield f"validation has too few lists to fit a weight: {FEWEST_CASES} are needed"
    elif fit.weight == 0:
        yield (
            f"on validation no weight beats 0 by two standard errors: {fit.after:.4f} with the best, {fit.best:g}, "
            f"against {fit.before:.4f}, over {fit.cases} lists"
        )
    if pair.verdict() != "better":
        yield (
            f"it does not win over what ranks now: {pair.difference:+.4f} ({pair.low:+.4f} to {pair.high:+.4f}, "
            f"p {pair.p:.4f}) for {pair.users} users whom it never saw"
        )


def _widened(gaps: Sequence[Gap]) -> Iterator[str]:
    for gap in gaps:
        if gap.interval[0] > 0:
            yield (
                f"it widens the gap by {gap.attribute}: {gap.current:.4f} now, {gap.candidate:.4f} with it "
                f"({gap.interval[0]:+.4f} to {gap.interval[1]:+.4f})"
            )


def _judged(example: Example, said: Values) -> Judged:
    return Judged(standard(example.retrieval), standard(said), example.taken, example.sought)


def _users(examples: Sequence[Example], way: Way) -> dict[str, float]:
    """The mean NDCG@10 of each user's lists."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for example, said in zip(examples, way.scores, strict=True):
        found[example.user_id].append(gain(_judged(example, said), way.weight))
    return {user: float(np.mean(gains)) for user, gains in found.items()}


def _side(examples: Sequence[Example], way: Way, by_user: Values) -> Side:
    alone = _mean(examples, replace(way, weight=1.0))
    return Side(name=way.name, weight=way.weight, ndcg=float(by_user.mean()), alone=alone)


def _mean(examples: Sequence[Example], way: Way) -> float:
    """Over users."""
    return float(np.mean(list(_users(examples, way).values())))


def _gaps(examples: Sequence[Example], current: dict[str, float], candidate: dict[str, float]) -> Iterator[Gap]:
    """One for each attribute with at least two groups of 20 users."""
    attributes = {example.user_id: example.attributes for example in examples}
    for attribute in dict.fromkeys(name for known in attributes.values() for name in known):
        members: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for user, known in attributes.items():
            for value in buckets(known.get(attribute, [])):
                members[value].append((current[user], candidate[user]))
        groups = [np.array(found) for found in members.values() if len(found) >= _FEWEST_IN_GROUP]
        if len(groups) < 2:
            continue
        now, then = np.ptp([group.mean(axis=0) for group in groups], axis=0).tolist()
        low, high = np.quantile(_added(groups), (0.025, 0.975)).tolist()
        yield Gap(attribute=attribute, current=now, candidate=then, interval=(low, high))


def _added(groups: Sequence[Values]) -> Values:
    """What the candidate adds to the gap, for users drawn anew within each group: (resamples,)."""
    draw = np.random.default_rng(_SEED)
    means = [group[draw.integers(len(group), size=(_RESAMPLES, len(group)))].mean(axis=1) for group in groups]
    gaps = np.ptp(np.stack(means), axis=0)
    added: Values = gaps[:, 1] - gaps[:, 0]
    return added
