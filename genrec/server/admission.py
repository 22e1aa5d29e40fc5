"""How many recommendations run at once: a full line refuses at once, and waiting counts against the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from genrec.engine.gate import Gate
from genrec.errors import EngineBusy, EngineTimeout
from genrec.server.metrics import Metrics
from genrec.server.settings import Settings

TimeLeft = Callable[[], float]
"""Seconds until the deadline."""


class Admission:
    """Shared by all tenants of a service."""

    def __init__(self, settings: Settings, deadline_s: float, metrics: Metrics) -> None:
        self._gate = Gate(settings.concurrency, settings.queue)
        self._deadline_s, self._metrics = deadline_s, metrics

    def check(self) -> None:
        """Raises EngineBusy where the line is full."""
        with self._metrics.refused.count_exceptions(EngineBusy):
            self._gate.check()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[TimeLeft]:
        """Wait for a place and hold it.

        Raises:
            EngineBusy: the line is full. EngineTimeout: no place was free before the deadline.
        """
        end = perf_counter() + self._deadline_s
        async with AsyncExitStack() as stack:
            with self._metrics.waiting.track_inprogress(), self._metrics.refused.count_exceptions(EngineBusy):
                try:
                    async with asyncio.timeout(self._deadline_s):
                        await stack.enter_async_context(self._gate.place())
                except TimeoutError as error:
                    raise EngineTimeout(f"no place was free within {self._deadline_s:g} s: ask again later") from error
            with self._metrics.running.track_inprogress():
                yield lambda: max(0.0, end - perf_counter())
