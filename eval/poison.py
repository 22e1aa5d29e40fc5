"""What planted users do to lists of others, with and without the guards, and what the guards cost honest data.

Push attacks as in Lam and Riedl (Shilling Recommender Systems for Fun and Profit, WWW 2004) and Mobasher et al.
(Toward Trustworthy Recommender Systems, TOIT 2007): planted users praise one item among filler that makes them look
like others, all on the last day of the data. `transition` is made against this retriever: a short list of what many
take, and then the item.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

from eval.method import SEED, Ranked, Status
from eval.metrics import K, per_user
from eval.protocols import leave_one_out
from genrec.errors import DataError
from genrec.parts import build_retriever
from genrec.statistics import Values, mean_of, paired
from genrec.store import Store
from retrieval import Encoder, Event, Retriever, User, Weights
from retrieval.cache import Vectorizer
from retrieval.fit import Case
from retrieval.guards import Guards, Quarantine

_POPULAR = 10
_SHORT = 5
_RARE = 10
"""A target was taken by so many at most: nobody has to push what is popular."""
_BEST = 5
_A_TAKE = timedelta(seconds=20)

Profile = Callable[["Crowd", random.Random], list[tuple[str, float]]]
"""Filler items with ratings."""


@dataclass(frozen=True)
class Crowd:
    """What an attacker knows of the honest: the takes of each item, its mean rating, and how much users rate."""

    popular: Sequence[str]
    means: Mapping[str, float]
    mean: float
    deviation: float
    size: int

    @classmethod
    def of(cls, events: Sequence[Event]) -> Crowd:
        """Raises DataError where nobody rated anything."""
        ratings: dict[str, list[float]] = {}
        sizes: dict[str, int] = {}
        for event in events:
            if event.type == "rate" and event.value is not None:
                ratings.setdefault(event.item_id, []).append(event.value)
                sizes[event.user_id] = sizes.get(event.user_id, 0) + 1
        everything = [value for values in ratings.values() for value in values]
        if len(everything) <= 1:
            raise DataError("the attacks plant ratings: they need data with events of type rate")
        popular = sorted(ratings, key=lambda item_id: (-len(ratings[item_id]), item_id))
        means = {item_id: fmean(values) for item_id, values in ratings.items()}
        return cls(popular, means, fmean(everything), stdev(everything), int(median(sizes.values())))


def _random(crowd: Crowd, draw: random.Random) -> list[tuple[str, float]]:
    filler = draw.sample(crowd.popular, crowd.size)
    return [(item_id, draw.gauss(crowd.mean, crowd.deviation)) for item_id in filler]


def _average(crowd: Crowd, draw: random.Random) -> list[tuple[str, float]]:
    return [(item_id, crowd.means[item_id]) for item_id in draw.sample(crowd.popular, crowd.size)]


def _bandwagon(crowd: Crowd, draw: random.Random) -> list[tuple[str, float]]:
    return _random(crowd, draw)[_POPULAR:] + [(item_id, _BEST) for item_id in crowd.popular[:_POPULAR]]


def _transition(crowd: Crowd, draw: random.Random) -> list[tuple[str, float]]:
    return [(item_id, _BEST) for item_id in draw.sample(crowd.popular[: 2 * _POPULAR], _SHORT)]


ATTACKS: Mapping[str, Profile] = {
    "random": _random,
    "average": _average,
    "bandwagon": _bandwagon,
    "transition": _transition,
}


@dataclass(frozen=True)
class Plot:
    """An attack: which, on what item, by how many planted users for each honest one."""

    attack: str
    target: str
    share: float
    seed: int

    def events(self, store: Store, crowd: Crowd, start: datetime) -> tuple[list[User], list[Event]]:
        """The planted users, with the attributes of honest ones, and what they did: filler in any order, the target
        somewhere in it; at the end in a `transition`."""
        draw = random.Random(repr((self.attack, self.target, self.seed)))
        users, events = [], []
        for number in range(round(self.share * len(store.user_ids))):
            like = store.user(draw.choice(list(store.user_ids)))
            user = User(user_id=f"planted-{number}", attributes=like.attributes)
            profile = [one for one in dict(ATTACKS[self.attack](crowd, draw)).items() if one[0] != self.target]
            if self.attack != "transition":
                draw.shuffle(profile)
            place = len(profile) if self.attack == "transition" else draw.randint(0, len(profile))
            profile.insert(place, (self.target, _BEST))
            users.append(user)
            events += [
                Event(
                    user_id=user.user_id,
                    item_id=item_id,
                    type="rate",
                    value=min(max(round(rating), 1), _BEST),
                    timestamp=start + number * timedelta(minutes=1) + place * _A_TAKE,
                )
                for place, (item_id, rating) in enumerate(profile)
            ]
        return users, events


class Target:
    """A retriever that knows the honest data, under attack again and again."""

    def __init__(self, store: Store, encoder: Encoder, cache: Vectorizer, weights: Weights, guards: Guards | None):
        quarantine = Quarantine(guards) if guards else None
        self._shared = (encoder, cache)
        self.retriever = build_retriever(store, encoder, lambda _: None, weights, cache=cache, quarantine=quarantine)

    def attacked(self, users: Sequence[User], events: Sequence[Event]) -> Retriever:
        """One that knows the planted users too; this one stays as it is."""
        known = self.retriever.knowledge
        shared = (*self._shared, known.lock, known.index, known.catalogue)
        knowledge = copy.deepcopy(known, {id(part): part for part in shared})
        knowledge.add_users(users)
        knowledge.add_events(events)
        return Retriever(knowledge, self.retriever.weights)


def compare(
    store: Store,
    encoder: Encoder,
    cache: Vectorizer,
    weights: Weights,
    shares: Sequence[float],
    *,
    targets: int,
    victims: int,
    status: Status,
) -> dict[str, Any]:
    """What each attack gains for its item, over `targets` items, in the lists of `victims` honest users; and NDCG@10 of
    all honest users who are not attacked, with and without the guards.

    Raises:
        DataError: events without ratings or times, or too few items that few took.
    """
    split = leave_one_out(store)
    honest = Store(store.items, split.training.users.values(), split.training.everything)
    crowd, draw = Crowd.of(honest.events), random.Random(SEED)
    sides = {
        name: Target(honest, encoder, cache, weights, guards)
        for name, guards in (("open", None), ("guarded", Guards()))
    }
    asked = draw.sample(list(split.test), min(victims, len(split.test)))
    taken = sides["open"].retriever.knowledge.takers
    pushed = draw.sample(sorted(item.item_id for item in store.items if 1 <= taken(item.item_id) <= _RARE), targets)
    return {
        "users": len(honest.user_ids),
        "items": len(store.items),
        "targets": targets,
        "victims": len(asked),
        "profile": crowd.size,
        "guards": Guards().model_dump(),
        "rows": _attacked(sides, honest, crowd, pushed, asked, shares, status),
        "honest": _unharmed(sides, split.test, status),
    }


def _unharmed(sides: Mapping[str, Target], cases: Sequence[Case], status: Status) -> dict[str, Any]:
    """What the guards cost where nobody attacks."""
    status("honest data, with and without the guards")
    quality = {name: _ndcg(side.retriever, cases) for name, side in sides.items()}
    quarantine = sides["guarded"].retriever.knowledge.quarantine
    change = paired(quality["guarded"], quality["open"])
    return {
        "users": change.users,
        "ndcg@10 open": mean_of(quality["open"]).text(),
        "ndcg@10 guarded": mean_of(quality["guarded"]).text(),
        "difference": f"{change.difference:+.5f} ({change.low:+.5f} to {change.high:+.5f}), p {change.p:.4f}",
        "verdict": change.verdict(),
        "held": len(quarantine.held) if quarantine else 0,
    }


def _attacked(
    sides: Mapping[str, Target],
    honest: Store,
    crowd: Crowd,
    pushed: Sequence[str],
    asked: Sequence[Case],
    shares: Sequence[float],
    status: Status,
) -> list[dict[str, Any]]:
    """A row for each attack and share of planted users, each item pushed by itself; the first row is without any."""
    newest = max((event.timestamp for event in honest.events if event.timestamp), default=None)
    if newest is None:
        raise DataError("the guards look at times: they need data with timestamps")
    before = {name: [_places(side.retriever, asked, item) for item in pushed] for name, side in sides.items()}
    rows = [_row("none", 0.0, before)]
    for attack, share in product(ATTACKS, shares):
        status(f"attack {attack}, {share:.0%}")
        found: dict[str, list[_Places]] = {name: [] for name in sides}
        for seed, item in enumerate(pushed):
            users, events = Plot(attack, item, share, seed).events(honest, crowd, newest - timedelta(hours=12))
            for name, side in sides.items():
                found[name].append(_places(side.attacked(users, events), asked, item))
        rows.append(_row(attack, share, found))
    return rows


@dataclass(frozen=True)
class _Places:
    """Where the item of an attack stands: the share of lists that have it in the first ten, and its mean rank."""

    shown: float
    rank: float


def _places(retriever: Retriever, cases: Sequence[Case], item_id: str) -> _Places:
    row, size = retriever.knowledge.catalogue.row(item_id), len(retriever.knowledge.catalogue)
    ranks = []
    for case in cases:
        found = np.flatnonzero(retriever.rank(case.query, size) == row)
        ranks += [int(place) + 1 for place in found]  # none for one who took it
    return _Places(fmean(rank <= K for rank in ranks), fmean(ranks))


def _ndcg(retriever: Retriever, cases: Sequence[Case]) -> Values:
    catalogue = retriever.knowledge.catalogue
    ranked = [Ranked([catalogue.item(row).item_id for row in retriever.rank(case.query, K).tolist()]) for case in cases]
    return per_user(ranked, [{case.target} for case in cases])[f"ndcg@{K}"]


def _row(attack: str, share: float, found: Mapping[str, Sequence[_Places]]) -> dict[str, Any]:
    """One line of the table: the share of lists that have the target in the first ten, its mean rank, and by how much
    the guards keep that back; intervals and the test are over targets."""
    row: dict[str, Any] = {"attack": attack, "planted": f"{share:.0%}"}
    for name, places in found.items():
        row[f"{name}: shown"] = mean_of(np.array([one.shown for one in places])).text()
        row[f"{name}: rank"] = mean_of(_ranks(places)).text(0)
    held = paired(_ranks(found["guarded"]), _ranks(found["open"]))
    row["kept back"] = f"{held.difference:.0f} ({held.low:.0f}-{held.high:.0f}), p {held.p:.4f}"
    return row


def _ranks(places: Sequence[_Places]) -> Values:
    return np.array([one.rank for one in places])
