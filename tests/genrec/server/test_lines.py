"""How the database is asked: in bounded lines, and not while it rests."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from genrec import StoreError
from genrec.server.lines import Line


def _away() -> None:
    time.sleep(0.1)
    raise StoreError("away")


def test_those_who_stand_in_line_behind_a_failure_fail_at_once() -> None:
    async def work() -> float:
        line = Line("test", 1)
        started = time.perf_counter()
        outcomes = await asyncio.gather(*(line.run(_away) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(outcome, StoreError) for outcome in outcomes)
        with pytest.raises(StoreError, match="a moment ago"):
            await line.run(int)
        await asyncio.sleep(1.1)
        assert await line.run(int, "7") == 7
        return time.perf_counter() - started

    assert asyncio.run(work()) < 1.6


def test_a_line_is_bounded() -> None:
    async def work() -> list[object]:
        line, go = Line("test", 1), threading.Event()
        calls = [asyncio.create_task(line.run(go.wait, 5)) for _ in range(70)]
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(work())
    assert [isinstance(outcome, StoreError) for outcome in outcomes] == [False] * 64 + [True] * 6


def test_other_errors_let_the_line_go_on() -> None:
    async def work() -> None:
        line = Line("test", 1)
        with pytest.raises(ValueError, match="invalid literal"):
            await line.run(int, "x")
        assert await line.run(int, "7") == 7

    asyncio.run(work())
