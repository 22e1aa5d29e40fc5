"""How much of a user's past and of the items' descriptions fits into a prompt. Candidates are never left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from genrec.prompting import DESCRIPTION

_STEPS = 10


@dataclass(frozen=True)
class Cut:
    """How many of the latest events are shown, and how many characters of each description."""

    events: int
    description: int = DESCRIPTION


def cuts(events: int) -> list[Cut]:
    """From everything to nothing: at each step the oldest events and the ends of the longest descriptions go."""
    shares = (1 - step / _STEPS for step in range(_STEPS + 1))
    return [Cut(round(events * share), round(DESCRIPTION * share)) for share in shares]


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
