"""A bounded line in front of a model: what cannot be served soon is refused at once, and said to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from genrec.errors import EngineBusy

RUNNING = 256
"""Calls that a model works on together; vLLM's own limit on a GPU is of this size."""
WAITING = 1024
"""Calls in line behind them. With more the last would miss any deadline that users put up with."""


class Gate:
    """Lets `running` calls through at once and `waiting` more stand in line, first come first served.

    A call that is cancelled gives its place back at once, in line or not.
    """

    def __init__(self, running: int = RUNNING, waiting: int = WAITING) -> None:
        self._free = asyncio.Semaphore(running)
        self._waiting = waiting
        self._in_line = 0

    def check(self) -> None:
        """Raises EngineBusy where the line is full."""
        if self._free.locked() and self._in_line >= self._waiting:
            raise EngineBusy(f"{self._in_line} calls wait for the model already: ask again later")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it. Raises EngineBusy where the line is full."""
        self.check()
        self._in_line += 1
        try:
            await self._free.acquire()
        finally:
            self._in_line -= 1
        try:
            yield
        finally:
            self._free.release()
