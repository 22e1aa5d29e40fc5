"""More candidates than letters: windows whose best meet in a last one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from genrec.ranking import LABELS, Ranking, average, place_scores
from retrieval.types import Candidate

Judge = Callable[[Sequence[Candidate]], Awaitable[Ranking]]
"""Ranks the candidates of one window."""


def draw(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """As few windows of up to 26 as hold all, each with its share of the best: dealt out to and fro by score."""
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    count = max(1, -(-len(ranked) // len(LABELS)))
    windows: list[list[Candidate]] = [[] for _ in range(count)]
    for place, candidate in enumerate(ranked):
        turn, seat = divmod(place, count)
        windows[seat if turn % 2 == 0 else count - 1 - seat].append(candidate)
    return windows


async def play(candidates: Sequence[Candidate], judge: Judge) -> Ranking:
    """Rank all candidates: by one window where that holds them, else by windows side by side and a last one.

    The first ⌊26 / windows⌋ of each window are in the last one, which orders them. The others follow by their
    places in their windows, because scores of different prompts do not compare; so with more than one window
    the result is an order, scored by places.
    """
    windows = draw(candidates)
    if len(windows) == 1:
        return await judge(windows[0])
    rankings = await asyncio.gather(*map(judge, windows))
    orders = [_order(window, ranking) for window, ranking in zip(windows, rankings, strict=True)]
    through = len(LABELS) // len(windows)
    finalists = [candidate for order in orders for candidate in order[:through]]
    final = await judge(finalists)
    longest = max(map(len, windows))
    rest = [order[place] for place in range(through, longest) for order in orders if place < len(order)]
    ids = [candidate.item.item_id for candidate in (*_order(finalists, final), *rest)]
    everything = average([_without_items(ranking) for ranking in (*rankings, final)])
    return replace(
        everything,
        scores=place_scores(ids, ids),
        logprobs={item_id: value for ranking in rankings for item_id, value in ranking.logprobs.items()},
    )


def _order(window: Sequence[Candidate], ranking: Ranking) -> list[Candidate]:
    return sorted(window, key=lambda candidate: (-ranking.scores[candidate.item.item_id], -candidate.score))


def _without_items(ranking: Ranking) -> Ranking:
    return Ranking({}, {}, {}, ranking.usage, calls=ranking.calls, warnings=ranking.warnings)
