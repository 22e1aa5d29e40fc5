"""The time that one request has, whatever it is spent on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import perf_counter
from typing import TypeVar

from genrec.errors import EngineTimeout

_T = TypeVar("_T")


class Deadline:
    """Starts when it is made."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = perf_counter()

    def elapsed_ms(self) -> float:
        """Milliseconds since the start."""
        return round((perf_counter() - self._started) * 1000, 1)

    async def hold(self, call: Awaitable[_T]) -> _T:
        """Await a call of the model; cancel it and raise EngineTimeout when the time is over."""
        left = self._seconds - (perf_counter() - self._started)
        try:
            return await asyncio.wait_for(call, timeout=max(0.0, left))
        except TimeoutError as error:
            raise EngineTimeout(f"the model did not answer within the deadline of {self._seconds:g} s") from error
