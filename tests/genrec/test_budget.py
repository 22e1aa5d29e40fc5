"""What gives way where a prompt is too long."""

from __future__ import annotations

import asyncio

import pytest

from genrec.budget import Cut, cuts, largest_that_fits


def test_events_and_descriptions_give_way_together() -> None:
    ladder = cuts(10)
    assert ladder[0] == Cut(10, 300)
    assert ladder[1] == Cut(9, 270)
    assert ladder[-1] == Cut(0, 0)


@pytest.mark.parametrize("limit", range(0, 311, 31))
def test_the_largest_that_fits_is_found_in_few_looks(limit: int) -> None:
    looks = []

    async def fits(cut: Cut) -> bool:
        looks.append(cut)
        return cut.description <= limit

    found = asyncio.run(largest_that_fits(cuts(20), fits))
    assert found == max((cut for cut in cuts(20) if cut.description <= limit), key=lambda cut: cut.description)
    assert len(looks) <= 6


def test_nothing_may_fit() -> None:
    async def never(_: Cut) -> bool:
        return False

    assert asyncio.run(largest_that_fits(cuts(5), never)) is None
