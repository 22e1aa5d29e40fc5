"""What a list of recommended items is worth. One held-out item a user unless a docstring says otherwise."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence


def hit_rate(rank: int | None, k: int) -> float:
    """1 where the held-out item is among the first k, else 0. `rank` counts from 1; None was not found."""
    return float(rank is not None and rank <= k)


def ndcg(rank: int | None, k: int) -> float:
    """1 / log2(1 + rank) within the first k, else 0: with one relevant item the ideal DCG is 1.

    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, 2002.
    """
    return 1 / math.log2(1 + rank) if rank is not None and rank <= k else 0.0


def coverage(lists: Sequence[Sequence[int]], items: int) -> float:
    """The share of the catalogue that is in any of the lists."""
    return len({row for found in lists for row in found}) / items


def share_of(lists: Sequence[Sequence[int]], wanted: Collection[int]) -> float:
    """The share of all places in the lists that hold one of the wanted items."""
    places = [row in wanted for found in lists for row in found]
    return sum(places) / len(places) if places else 0.0


def long_tail(counts: Sequence[float], head: float = 0.2) -> set[int]:
    """The rows outside the `head` share of items that were taken most."""
    ranked = sorted(range(len(counts)), key=lambda row: (-counts[row], row))
    return set(ranked[round(head * len(ranked)) :])
