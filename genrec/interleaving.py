"""Two variants in one list, for live traffic: whoever's items people take is the better one, with few users.

Team-draft interleaving (Radlinski, Kurup and Joachims, How Does Clickthrough Data Reflect Retrieval Quality?, CIKM
2008): in each round both variants put forward their best item that is not in the list yet, and a coin says who is
first. Each place belongs to the variant that filled it, and gets the credit for what the user does with it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genrec.statistics import Paired, paired
from genrec.types import RankedItem, Recommendation
from retrieval import Event
from retrieval.cues import strength

Team = Literal["a", "b"]


@dataclass(frozen=True)
class Interleaved:
    """One list for one user. `items` are ranked anew; `teams` says by item id who put it there."""

    user_id: str
    items: Sequence[RankedItem]
    teams: Mapping[str, Team]

    def credit(self, events: Iterable[Event]) -> dict[Team, float]:
        """What this user's events say for each variant: the strength of what was done with its items.

        For each item the strongest event counts, from -1, dismissed, to 1, bought or rated the best; events of other
        users and with other items say nothing.
        """
        done: dict[str, float] = {}
        for event in events:
            if event.user_id == self.user_id and event.item_id in self.teams:
                said = strength(event)
                done[event.item_id] = max(done.get(event.item_id, said), said, key=abs)
        found: dict[Team, float] = {"a": 0.0, "b": 0.0}
        for item_id, said in done.items():
            found[self.teams[item_id]] += said
        return found


def interleave(a: Recommendation, b: Recommendation, n: int, *, seed: int) -> Interleaved:
    """A list of n items from two answers for the same user; shorter where both have fewer.

    `seed` decides the coins: make it of the request, so that asking again gives the same list.

    Raises:
        ValueError: the answers are for different users.
    """
    if a.user_id != b.user_id:
        raise ValueError(f"answers for users {a.user_id!r} and {b.user_id!r}: interleave those of one user")
    coin = random.Random(seed)
    left: dict[Team, list[RankedItem]] = {"a": list(a.items), "b": list(b.items)}
    chosen: list[RankedItem] = []
    teams: dict[str, Team] = {}
    while len(chosen) < n and any(left.values()):
        order: list[Team] = ["a", "b"]
        coin.shuffle(order)
        for team in order:
            left[team] = [item for item in left[team] if item.item_id not in teams]
            if left[team] and len(chosen) < n:
                item = left[team].pop(0)
                teams[item.item_id] = team
                chosen.append(item.model_copy(update={"rank": len(chosen) + 1}))
    return Interleaved(a.user_id, chosen, teams)


def winner(credits: Sequence[Mapping[Team, float]]) -> tuple[Counter[str], Paired]:
    """Over the credits of many lists: how many each variant won, and what b gains over a on a list.

    Raises ValueError for fewer than two lists.
    """
    won = Counter("a" if c["a"] > c["b"] else "b" if c["b"] > c["a"] else "tie" for c in credits)
    return won, paired(np.array([c["b"] for c in credits]), np.array([c["a"] for c in credits]))
