"""Where retrieval computes: beside the event loop, and without taking the cores that the model runs on.

A request multiplies small matrices. BLAS would wake a thread on every core for each product, and more Python threads
than a few only wait for each other: many requests at once then cost several times what they cost one by one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

_T = TypeVar("_T")
_Limit = Any
"""threadpoolctl has no name for what `limit` returns."""

_WORKERS = min(4, os.cpu_count() or 1)
_workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="genrec-retrieval")


class _SmallProducts:
    """BLAS has one thread while anybody is inside, and what it had before when the last one leaves."""

    def __init__(self) -> None:
        self._controller = ThreadpoolController()
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: _Limit = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


_small_products = _SmallProducts()


async def beside(call: Callable[..., _T], *arguments: object) -> _T:
    """Await what `call` computes in a thread of retrieval's own."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _compute, call, *arguments)


def _compute(call: Callable[..., _T], *arguments: object) -> _T:
    with _small_products:
        return call(*arguments)
