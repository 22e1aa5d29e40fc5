"""One event loop in a thread of its own, so that an engine lives on one loop and callers on any."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

_T = TypeVar("_T")


class Runner:
    """Runs coroutines on its own loop: `run` blocks for the result, `wait` awaits it from any other loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="genrec", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Block until `work` is done. An interrupt (Ctrl-C) cancels it."""
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await `work` from the caller's loop; cancelling the caller cancels it."""
        return await asyncio.wrap_future(self._submit(work))

    def iterate(self, items: AsyncIterator[_T]) -> Iterator[_T]:
        """The items of an asynchronous iterator, one by one; leaving early cancels it."""
        ready: queue.SimpleQueue[_T | Exception | None] = queue.SimpleQueue()

        async def pump() -> None:
            try:
                async for item in items:
                    ready.put(item)
                ready.put(None)
            except Exception as error:  # handed to the caller's thread
                ready.put(error)

        future = self._submit(pump())
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what runs, then stop the loop and its thread. Closing twice does nothing."""
        if self._loop.is_closed():
            return
        self._submit(_cancel_others()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
