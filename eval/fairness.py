"""Are people treated alike? What changes when an attribute of a user is another, who is served how well, what is shown.

- *Swaps*: the same request with one attribute changed to somebody else's value (counterfactual fairness: Kusner et al.,
  NeurIPS 2017). Measured is the share of the first ten items that are others then. The same request asked twice gives
  the noise floor, which is taken off, so that what is left is due to the attribute.
- *Groups*: NDCG@10 by the values of each attribute, and whether they differ by more than chance (Kruskal and Wallis).
- *Exposure*: the places that go to each fifth of the items by popularity, beside the takes that went there, and the
  same by provider where items name one.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from scipy import stats

from eval.method import SEED, Answers, Catalogue, Ranked, Ranker, Status
from eval.metrics import K, per_user
from eval.protocols import Training
from genrec.statistics import mean_of, paired
from retrieval import User
from retrieval.cues import buckets
from retrieval.fit import Case

_FEWEST_IN_GROUP = 20
_FIFTHS = 5
_PROVIDERS = 10
"""Those that are shown most."""


class Personal(Ranker, Protocol):
    """A ranker that knows attributes of users, and can be asked as if they were others."""

    def with_users(self, users: Mapping[str, User]) -> Ranker:
        """The same, where these users are who asks."""


def swaps(ranker: Personal, training: Training, cases: Sequence[Case], status: Status) -> list[dict[str, Any]]:
    """One row for each attribute: how much of the first ten changes, beyond the noise of asking again."""
    base = ranker.rank(cases, None, K, status)
    again = _ask(ranker, training.users, cases, status)
    noise = _changed(base, again)
    relevant = [{case.target} for case in cases]
    gains = per_user(base.ranked, relevant)["ndcg@10"]
    rows = []
    for attribute in _attributes(cases):
        users = swapped(training.users, attribute)
        found = _ask(ranker, users, cases, status)
        asked = [number for number, case in enumerate(cases) if attribute in case.query.user.attributes]
        changed = _changed(base, found)
        effect = paired(changed[asked], noise[asked])
        utility = paired(per_user(found.ranked, relevant)["ndcg@10"][asked], gains[asked])
        rows.append(
            {
                "attribute": attribute,
                "users": len(asked),
                "changed": round(float(changed[asked].mean()), 4),
                "noise": round(float(noise[asked].mean()), 4),
                "due to it": round(effect.difference, 4),
                "interval": [round(effect.low, 4), round(effect.high, 4)],
                "p": round(effect.p, 4),
                "ndcg@10 difference": round(utility.difference, 5),
                "ndcg@10 interval": [round(utility.low, 5), round(utility.high, 5)],
            }
        )
    return rows


def swapped(users: Mapping[str, User], attribute: str) -> dict[str, User]:
    """Everybody with another value of one attribute: drawn from those of others, in another bucket than their own."""
    draw = random.Random(f"{SEED} {attribute}")
    values = [user.attributes[attribute] for user in users.values() if attribute in user.attributes]
    found = dict(users)
    for user_id, user in users.items():
        own = user.attributes.get(attribute)
        others = [] if own is None else [value for value in values if set(buckets(value)).isdisjoint(buckets(own))]
        if others:
            found[user_id] = user.model_copy(update={"attributes": {**user.attributes, attribute: draw.choice(others)}})
    return found


def groups(answers: Answers, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """One row for each value of each attribute that at least 20 users have; `p` is of the attribute as a whole."""
    gains = per_user(answers.ranked, [{case.target} for case in cases])["ndcg@10"]
    rows = []
    for attribute in _attributes(cases):
        members: defaultdict[str, list[float]] = defaultdict(list)
        for case, gain in zip(cases, gains.tolist(), strict=True):
            for value in buckets(case.query.user.attributes.get(attribute, [])):
                members[value].append(gain)
        kept = {value: np.array(found) for value, found in members.items() if len(found) >= _FEWEST_IN_GROUP}
        if len(kept) < 2:
            continue
        alike = not np.ptp(np.concatenate(list(kept.values())))
        p = 1.0 if alike else float(stats.kruskal(*kept.values()).pvalue)
        for value, found in sorted(kept.items(), key=lambda pair: -pair[1].mean()):
            mean = mean_of(found)
            row = {"attribute": attribute, "value": value, "users": len(found), "ndcg@10": round(mean.mean, 4)}
            rows.append({**row, "interval": [round(mean.low, 4), round(mean.high, 4)], "p": round(p, 4)})
    return rows


def exposure(ranked: Sequence[Ranked], catalogue: Catalogue, provider: str | None) -> list[dict[str, Any]]:
    """Shares of the first ten places and of all takes: for each fifth of the items by takers, then by provider."""
    shown = np.concatenate([catalogue.rows(one.item_ids[:K]) for one in ranked if one.item_ids])
    taken = np.concatenate(catalogue.sequences)
    order = np.argsort(-catalogue.counts(), kind="stable")
    fifth = np.empty(len(order), np.int64)
    fifth[order] = np.arange(len(order)) * _FIFTHS // len(order)
    names = ("most taken", "second", "third", "fourth", "least taken")
    rows = [
        {
            "items": f"{name} fifth",
            "of places": round(float((fifth[shown] == number).mean()), 4),
            "of takes": round(float((fifth[taken] == number).mean()), 4),
        }
        for number, name in enumerate(names)
    ]
    if provider:
        by = np.array([str(item.attributes.get(provider, "-")) for item in catalogue.items])
        for name in sorted(set(by[shown].tolist()), key=lambda name: -int((by[shown] == name).sum()))[:_PROVIDERS]:
            places, takes = (by[shown] == name).mean(), (by[taken] == name).mean()
            shares = {"of places": round(float(places), 4), "of takes": round(float(takes), 4)}
            rows.append({"items": f"{provider} {name}", **shares})
    return rows


def _ask(ranker: Personal, users: Mapping[str, User], cases: Sequence[Case], status: Status) -> Answers:
    asked = [replace(case, query=replace(case.query, user=users[case.query.user.user_id])) for case in cases]
    return ranker.with_users(users).rank(asked, None, K, status)


def _attributes(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(name for case in cases for name in case.query.user.attributes))


def _changed(one: Answers, other: Answers) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of the first ten of one that is not among the first ten of the other, user by user."""
    pairs = zip(one.ranked, other.ranked, strict=True)
    return np.array([1 - len({*a.item_ids} & {*b.item_ids}) / max(1, len(a.item_ids)) for a, b in pairs])
