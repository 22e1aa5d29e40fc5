"""What gives way where a prompt is too long."""

from __future__ import annotations

import asyncio

import pytest

from genrec.budget import Cut, cuts, largest_that_fits


def test_parts_give_way_in_the_order_that_the_template_says() -> None:
    ladder = cuts(10, ["descriptions", "history"])
    assert ladder[:2] == [Cut(10, 300), Cut(10, 270)]
    assert ladder[10:12] == [Cut(10, 0), Cut(9, 0)]
    assert ladder[-1] == Cut(0, 0)
    assert cuts(10, ["history"])[-1] == Cut(0, 300)
    assert cuts(10, []) == [Cut(10, 300)]


@pytest.mark.parametrize("limit", range(0, 311, 31))
def test_the_largest_that_fits_is_found_in_few_looks(limit: int) -> None:
    looks = []

    async def fits(cut: Cut) -> bool:
        looks.append(cut)
        return cut.description <= limit

    ladder = cuts(20, ["descriptions", "history"])
    assert asyncio.run(largest_that_fits(ladder, fits)) == next(cut for cut in ladder if cut.description <= limit)
    assert len(looks) <= 7


def test_nothing_may_fit() -> None:
    async def never(_: Cut) -> bool:
        return False

    assert asyncio.run(largest_that_fits(cuts(5, ["history"]), never)) is None
