"""Does it help to weigh signals for each user by what they took of the lists that they were shown? A replay.

The retriever knows one part of the users; the others come one by one and take what they took, oldest first. Before
each take the retriever shows its first ten; what of it the user takes within the next few takes is a success of that
list, the rest was ignored. From this a user's weights are learnt as in a Bayesian conditional logit (Chapelle and Li,
An Empirical Evaluation of Thompson Sampling, NIPS 2011, by the same diagonal approximation): each signal's weight is
multiplied by a factor with the prior N(1, sd²), which stays between its bounds. Both ways rank the same candidates;
weights for all are fitted to users whom the retriever knows, and what remains to be chosen to half of the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.method import SEED, Status
from genrec.errors import DataError
from genrec.statistics import Values, mean_of, paired
from genrec.store import Store
from retrieval import Event, Query, Retriever
from retrieval.cues import strength
from retrieval.fit import FEWEST_CASES, Case, fit, hide_last
from retrieval.index.base import nearest

_KNOWN = 0.8
_FIRST = 10
"""Takes of a user before the first list."""
_SHOWN = 10
_SOON = 5
"""Takes after a list among which its successes are looked for."""
_KEPT = 200
_LEAST, _MOST = 0.5, 2.0
_SDS, _SHARPNESSES = (0.1, 0.3, 1.0), (3.0, 10.0, 30.0)

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """A list before it is ordered: `parts` of scores, shape (signals, candidates), and the places of what comes next.

    `target`: of the next take, None where it is no candidate; `soon`: of the next few.
    """

    parts: Matrix
    target: int | None
    soon: frozenset[int]


@dataclass
class Personal:
    """What a user's factors are believed to be: means and precisions by signal."""

    signals: int
    sd: float
    sharpness: float
    factors: Values = field(init=False)
    _precisions: Values = field(init=False)

    def __post_init__(self) -> None:
        self.factors = np.ones(self.signals)
        self._precisions = np.full(self.signals, 1 / self.sd**2)

    def learn(self, shown: Matrix, taken: Sequence[int]) -> None:
        """`shown`: parts of the items of one list, `taken`: places in it."""
        for place in taken:
            scores = self.sharpness * (self.factors @ shown)
            chances = np.exp(scores - scores.max())
            chances /= chances.sum()
            expected = shown @ chances
            self._precisions += self.sharpness**2 * ((shown - expected[:, None]) ** 2 @ chances)
            step = self.sharpness * (shown[:, place] - expected) / self._precisions
            self.factors = np.clip(self.factors + step, _LEAST, _MOST)  # a new array: others hold the old one


def compare(store: Store, build: Callable[[Sequence[Event]], Retriever], steps: int, status: Status) -> dict[str, Any]:
    """NDCG@10 of the next take with weights of one's own, with everybody's, and with another user's; means over users.

    Raises:
        DataError: too few users.
    """
    users = [user_id for user_id in store.user_ids if len(_takes(store, user_id)) > _FIRST + _SOON]
    random.Random(SEED).shuffle(users)
    known, others = users[: round(_KNOWN * len(users))], users[round(_KNOWN * len(users)) :]
    if min(len(known), len(others)) < FEWEST_CASES:
        raise DataError(f"{len(users)} users took enough: both parts need {FEWEST_CASES}")
    retriever = _fitted(store, known, build, status)
    replays = []
    for number, user_id in enumerate(others):
        status(f"replay: user {number} of {len(others)}")
        replays.append(list(_steps(store, retriever, user_id, steps)))
    half = len(replays) // 2
    tuned = {
        (sd, sharpness): float(_ndcg(replays[:half], sd, sharpness).mean())
        for sd, sharpness in product(_SDS, _SHARPNESSES)
    }
    sd, sharpness = max(tuned, key=lambda one: tuned[one])
    measured = replays[half:]
    everybody = _ndcg(measured, None, 0.0)
    own = _ndcg(measured, sd, sharpness)
    swapped = _ndcg(measured, sd, sharpness, swapped=True)
    rows = [
        {"weights": name, "ndcg@10": mean_of(found).text(), **_against(found, everybody)}
        for name, found in (("everybody's", everybody), ("one's own", own), ("somebody else's", swapped))
    ]
    return {
        "users": len(measured),
        "lists": sum(map(len, measured)),
        "successes": sum(bool(step.soon) for replay in measured for step in replay),
        "sd": sd,
        "sharpness": sharpness,
        "tuned on": half,
        "tuning": {f"sd {one[0]:g}, sharpness {one[1]:g}": round(value, 5) for one, value in tuned.items()},
        "everybody's, tuning": round(float(_ndcg(replays[:half], None, 0.0).mean()), 5),
        "rows": rows,
        "weights": retriever.weights.model_dump(),
    }


def _fitted(
    store: Store, known: Sequence[str], build: Callable[[Sequence[Event]], Retriever], status: Status
) -> Retriever:
    """A retriever that knows these users, with weights fitted to their last takes before it knew them."""
    hidden = {user_id: last for user_id in known if (last := hide_last(store.history(user_id)))}
    retriever = build([event for before, _ in hidden.values() for event in before])
    cases = [
        Case(Query(store.user(user_id), before, take.moment), take.item_id)
        for user_id, (before, take) in list(hidden.items())[: 2 * FEWEST_CASES]
    ]
    weights = fit(retriever, cases, lambda done, of: status(f"weights: {done} of at most {of}")).weights
    retriever.knowledge.add_events(take for _, take in hidden.values())
    return Retriever(retriever.knowledge, weights)


def _steps(store: Store, retriever: Retriever, user_id: str, most: int) -> Iterator[Step]:
    history, takes = store.history(user_id), _takes(store, user_id)
    for place in range(_FIRST, min(len(takes) - _SOON, _FIRST + most)):
        take = takes[place]
        before = history[: history.index(take)]
        found = retriever.features(Query(store.user(user_id), before, take.moment))
        weights = np.array([getattr(retriever.weights, name) for name in found.signals])
        parts = weights[:, None] * found.matrix
        kept = nearest(parts.sum(axis=0), _KEPT)
        places = {row: number for number, row in enumerate(found.rows[kept].tolist())}
        rows = retriever.knowledge.catalogue.rows([one.item_id for one in takes[place : place + _SOON]]).tolist()
        soon = frozenset(places[row] for row in rows if row in places)
        yield Step(parts[:, kept].astype(np.float32), places.get(rows[0]), soon)


def _takes(store: Store, user_id: str) -> list[Event]:
    """The first event of a user with each item, where it speaks for the item."""
    first: dict[str, Event] = {}
    for event in store.history(user_id):
        first.setdefault(event.item_id, event)
    return [event for event in first.values() if strength(event) > 0]


def _ndcg(replays: Sequence[Sequence[Step]], sd: float | None, sharpness: float, *, swapped: bool = False) -> Values:
    """The mean over each user's lists; without `sd` nothing is learnt. `swapped`: by factors of the user before."""
    gains = []
    histories = [_factors(steps, sd, sharpness) for steps in replays]
    for number, steps in enumerate(replays):
        factors = histories[number - 1] if swapped else histories[number]
        gains.append(np.mean([_gain(step, factors[min(place, len(factors) - 1)]) for place, step in enumerate(steps)]))
    return np.array(gains)


def _factors(steps: Sequence[Step], sd: float | None, sharpness: float) -> list[Values]:
    """What the factors are before each list: a list is learnt from when its few takes are over, and not earlier."""
    signals = len(steps[0].parts)
    if sd is None:
        return [np.ones(signals)]
    personal, found = Personal(signals, sd, sharpness), []
    shown: list[npt.NDArray[np.int64]] = []
    for place, step in enumerate(steps):
        if place >= _SOON:
            old, seen = steps[place - _SOON], shown[place - _SOON]
            personal.learn(old.parts[:, seen], [n for n, one in enumerate(seen.tolist()) if one in old.soon])
        found.append(personal.factors)
        shown.append(nearest((personal.factors @ step.parts).astype(np.float64), _SHOWN))
    return found


def _gain(step: Step, factors: Values) -> float:
    if step.target is None:
        return 0.0
    scores = factors @ step.parts
    rank = int((scores >= scores[step.target]).sum())
    return float(1 / np.log2(1 + rank)) if rank <= _SHOWN else 0.0


def _against(found: Values, base: Values) -> dict[str, str]:
    change = paired(found, base)
    return {
        "difference": f"{change.difference:+.5f} ({change.low:+.5f} to {change.high:+.5f})",
        "p": f"{change.p:.4f}",
        "verdict": change.verdict() if found is not base else "-",
    }
