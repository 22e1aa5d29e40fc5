"""One event loop in a thread of its own: engines live on it, callers on any thread or loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

_T = TypeVar("_T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Block until `work` is done. An interrupt (Ctrl-C) cancels it."""
    future = _submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def wait(work: Coroutine[Any, Any, _T]) -> _T:
    """Await `work` from the caller's loop; cancelling the caller cancels it."""
    return await asyncio.wrap_future(_submit(work))


def iterate(items: AsyncIterator[_T]) -> Iterator[_T]:
    """The items of an asynchronous iterator, one by one; leaving early cancels it."""
    ready: queue.SimpleQueue[_T | Exception | None] = queue.SimpleQueue()
    future = _submit(_pump(items, ready.put))
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        future.cancel()


async def follow(items: AsyncIterator[_T]) -> AsyncIterator[_T]:
    """The same on the caller's loop; cancelling the caller cancels it too."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[_T | Exception | None] = asyncio.Queue()
    future = _submit(_pump(items, lambda item: loop.call_soon_threadsafe(ready.put_nowait, item)))
    try:
        while (item := await ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        future.cancel()


async def _pump(items: AsyncIterator[_T], put: Callable[[_T | Exception | None], object]) -> None:
    """Hand over every item, then None, or the error that ended them."""
    try:
        async for item in items:
            put(item)
        put(None)
    except Exception as error:  # raised again where the items are read
        put(error)


def _submit(work: Coroutine[Any, Any, _T]) -> Future[_T]:
    """Start `work` on the loop. It sees the caller's context variables, so its spans are part of the caller's trace."""
    return asyncio.run_coroutine_threadsafe(work, _running_loop())


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop  # one for the process: an engine that two recommenders share must not see two loops
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="genrec", daemon=True).start()
        return _loop
