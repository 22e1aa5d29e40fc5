"""Which adapter ranks: the one in production on the shelf, followed while the service runs, without an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic

from genrec import runner
from genrec.engine import AdaptableEngine, Adapted
from genrec.errors import DataError, StoreError
from genrec.learn.loading import Model, load_adapter
from genrec.learn.shelf import NOTHING, Shelf
from genrec.server.logs import log_stuck, log_swap, log_warning

_LOOK_S = 1.0
_AGAIN_S = 10.0
"""Until an adapter that could not be loaded is tried again, where the shelf still says that it ranks."""


@dataclass(frozen=True)
class Standing:
    """`production`: what the shelf says, `none` for no adapter. `ranks`: what does. `problem`: what keeps them apart.

    `erased`: what ranks saw somebody who was erased since.
    """

    production: str
    ranks: str
    problem: str = ""
    erased: bool = False


class Loaded:
    """An adapter in the engine: the model with it, and its share in the fused score."""

    def __init__(self, version: str, engine: Adapted, weight: float) -> None:
        self.version, self.engine, self.weight = version, engine, weight
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Rank with it: it stays in the engine until this is left."""
        self._requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    async def retire(self) -> None:
        """Take it out of the engine when the last request that ranks with it is over."""
        await self._idle.wait()
        await runner.wait(self.engine.unload())


class Adapters:
    """Follows one shelf, on one event loop.

    An adapter that takes another's place is loaded beside it. New requests rank with the new one, those that run finish
    with the old one, which is then unloaded, before a third may be loaded: an engine has room for two. Whatever goes
    wrong, what ranks goes on ranking, and `standing` says so.
    """

    def __init__(self, shelf: Shelf, model: Model, engine: AdaptableEngine) -> None:
        """`model`: what the engine runs, which adapters are held against."""
        self._shelf, self._model, self._engine = shelf, model, engine
        self.now: Loaded | None = None
        """What ranks; None is the model without an adapter."""
        self.standing = Standing(NOTHING, NOTHING)
        self._again = 0.0
        self._following: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Rank with what is in production, and follow it from now on."""
        await self.look()
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Follow no more, and leave nothing in an engine that others use too. No request may run any more."""
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        self._take_place(None)
        await asyncio.gather(*self._retiring)

    async def look(self) -> None:
        """See what is in production, and rank with it."""
        known, ranks = self.standing, self.now.version if self.now else NOTHING
        production = known.production
        try:
            production, erased = await asyncio.to_thread(self._read, ranks)
            if await self._is_there(production):
                self.standing = Standing(production, ranks, erased=erased)
            elif production != known.production or monotonic() >= self._again:
                await self._swap(ranks, production)
            else:
                self.standing = replace(known, erased=erased)
        except Exception as error:  # of whatever kind: what ranks goes on
            problem = f"{ranks} goes on ranking, {production} is in production: {type(error).__name__}, see the log"
            if problem != known.problem:
                log_stuck(production, ranks, error)
            self.standing = replace(known, production=production, problem=problem)

    async def forget(self, user_id: str) -> list[str]:
        """Mark every adapter that saw a user who is erased; the versions of all that did. Raises StoreError."""
        try:
            return await asyncio.to_thread(self._shelf.forget, user_id)
        except DataError as error:
            raise StoreError(f"adapters that saw this user cannot be marked: {error}") from error

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    def _read(self, ranks: str) -> tuple[str, bool]:
        return self._shelf.production, ranks in self._shelf.erased()

    async def _is_there(self, version: str) -> bool:
        """Whether a version ranks already, and is in the engine: a server that was started again has it no more."""
        if self.now is None:
            return version == NOTHING
        return self.now.version == version and await runner.wait(self.now.engine.is_loaded())

    async def _swap(self, ranks: str, production: str) -> None:
        self.standing = replace(self.standing, production=production)
        await asyncio.gather(*self._retiring)
        self._again = monotonic() + _AGAIN_S
        self._take_place(await self._load(production))
        self._again = 0.0
        self.standing = Standing(production, production)
        log_swap(ranks, production)

    async def _load(self, version: str) -> Loaded | None:
        if version == NOTHING:
            return None
        lora = await asyncio.to_thread(load_adapter, self._shelf.place(version), self._model)
        return Loaded(version, await runner.wait(Adapted.load(self._engine, lora)), lora.weight)

    def _take_place(self, new: Loaded | None) -> None:
        old, self.now = self.now, new
        if old:
            task = asyncio.create_task(self._retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, old: Loaded) -> None:
        try:
            await old.retire()
        except Exception as error:  # of whatever kind: nothing waits for this
            log_warning(f"adapter {old.version} stays in the engine, unused", error)
