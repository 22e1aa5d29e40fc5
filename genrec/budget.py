"""How much of a user's past and of the items' descriptions fits into a prompt. Candidates are never left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from genrec.prompting import DESCRIPTION, Part

_STEPS = 10


@dataclass(frozen=True)
class Cut:
    """How many of the latest events are shown, and how many characters of each description."""

    events: int
    description: int = DESCRIPTION


def cuts(events: int, drop: Sequence[Part]) -> list[Cut]:
    """From everything to nothing of what may be dropped, one part after the other.

    Of descriptions the ends of the longest go first, of a history the oldest events.
    """
    ladder = [Cut(events)]
    for part in drop:
        for step in range(1, _STEPS + 1):
            share, last = 1 - step / _STEPS, ladder[-1]
            cut = Cut(round(events * share), last.description)
            ladder.append(cut if part == "history" else Cut(last.events, round(DESCRIPTION * share)))
    return ladder


async def largest_that_fits(ladder: list[Cut], fits: Callable[[Cut], Awaitable[bool]]) -> Cut | None:
    """The first cut that fits, found by halving; None where not even the last one does."""
    if await fits(ladder[0]):
        return ladder[0]
    if not await fits(ladder[-1]):
        return None
    too_long, fitting = 0, len(ladder) - 1
    while fitting - too_long > 1:
        middle = (too_long + fitting) // 2
        if await fits(ladder[middle]):
            fitting = middle
        else:
            too_long = middle
    return ladder[fitting]
