"""Threads in which the database is asked: so many at once, a bounded line, and no waiting for one that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import ParamSpec, TypeVar

from genrec.errors import StoreError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_READERS = 8
_LINE = 64
_REST_S = 1.0


class Line:
    """One line of calls, first come first served. After one that the database did not answer the others fail at once
    for a second.

    So when it is away a request costs no time and no thread, and everybody learns it soon.
    """

    def __init__(self, name: str, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix=f"genrec-{name}")
        self._in_line = 0
        self._rests_until = 0.0

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the call returns.

        Raises:
            StoreError: the database did not answer, now or a moment ago, or too many calls wait for it.
        """
        self._check_rest()
        if self._in_line >= _LINE:
            raise StoreError(f"{self._in_line} calls wait for the database already: ask again later")
        self._in_line += 1
        try:
            work = partial(self._call, partial(call, *args, **kwargs))
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._in_line -= 1

    def _call(self, call: Callable[[], _T]) -> _T:
        self._check_rest()  # it may have gone away while this call stood in line
        try:
            return call()
        except StoreError:
            self._rests_until = monotonic() + _REST_S
            raise

    def _check_rest(self) -> None:
        if monotonic() < self._rests_until:
            raise StoreError("the database did not answer a moment ago: ask again in a second")


class Lines:
    """What is read does not wait behind what is written. `writers`: how many the database takes at once."""

    def __init__(self, writers: int) -> None:
        self.reading, self.writing = Line("reading", _READERS), Line("writing", writers)
