"""What the whole service shares: the database, one engine, one encoder, and a desk for each tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from time import monotonic

from genrec import runner
from genrec.config import Config
from genrec.engine import Engine
from genrec.errors import GenrecError, NotFound, StoreError
from genrec.server.access import Access
from genrec.server.adapters import Adapters
from genrec.server.admission import Admission
from genrec.server.desk import Desk, Parts
from genrec.server.lines import Lines
from genrec.server.logs import log_warning
from genrec.server.metrics import Metrics
from genrec.server.settings import Settings
from genrec.store.database import Database
from retrieval import Encoder, Weights

DEFAULT_TENANT = "default"


class Service:
    """Made before the event loop runs, used on it.

    `weights`, `model_weights` and `adapters` are those of the tenant `default`, as `genrec fit` and `genrec train` made
    them of its data: what one tenant's users did ranks nothing for another's.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        encoder: Encoder,
        *,
        config: Config | None = None,
        settings: Settings | None = None,
        weights: Weights | None = None,
        model_weights: Mapping[str, float] | None = None,
        adapters: Adapters | None = None,
    ) -> None:
        self.database, self.engine = database, engine
        self.settings = settings or Settings()
        self.config = config or Config()
        self.metrics = Metrics(self.settings, self.config.deadline_s)
        self._lines = Lines(database.writers, self.metrics.database_errors)
        self.access = Access(database, self._lines, self.settings)
        self.admission = Admission(self.settings, self.config.deadline_s, self.metrics)
        self.health = Health(database, engine, self.settings)
        self.parts = Parts(engine, encoder, self.config, self._lines, self.settings.guards)
        self.adapters = adapters
        self._fitted = replace(self.parts, weights=weights, model_weights=model_weights, adapters=adapters)
        self._desks: dict[str, Desk] = {}
        self.authoring = asyncio.Lock()
        """Held by whoever renders prompts without asking the model."""

    async def desk(self, name: str) -> Desk:
        """A tenant's desk, which is opened by the first request. Raises NotFound, StoreError."""
        if name not in self._desks:
            tenant = await self._lines.reading.run(self.database.tenant, name)
            self._desks.setdefault(name, Desk(tenant, self._fitted if name == DEFAULT_TENANT else self.parts))
        return self._desks[name]

    async def open(self) -> None:
        """Load the tenant `default` and its adapter, so that its first request does not wait for that."""
        if self.adapters:
            await self.adapters.open()
        try:
            await (await self.desk(DEFAULT_TENANT)).catch_up()
        except (NotFound, StoreError) as error:
            log_warning("the tenant default is not loaded yet", error)

    async def close(self) -> None:
        """Stop the engine and close the database."""
        if self.adapters:
            await self.adapters.close()
        await runner.wait(self.engine.close())
        await asyncio.to_thread(self.database.close)


class Health:
    """Whether database and model answer: asked once at a time, and believed for a moment."""

    def __init__(self, database: Database, engine: Engine, settings: Settings) -> None:
        self._database, self._engine, self._settings = database, engine, settings
        self._asking: asyncio.Task[dict[str, str]] | None = None
        self._asked = 0.0

    async def parts(self) -> dict[str, str]:
        """`ok` for each part, or the class of what went wrong."""
        done = self._asking is not None and self._asking.done()
        if self._asking is None or (done and monotonic() - self._asked > self._settings.keep_check_s):
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> dict[str, str]:
        database = self._state(lambda: asyncio.to_thread(self._database.check))
        engine = self._state(lambda: runner.wait(self._engine.check()))
        found = await asyncio.gather(database, engine)
        self._asked = monotonic()
        return dict(zip(("database", "engine"), found, strict=True))

    async def _state(self, check: Callable[[], Awaitable[None]]) -> str:
        try:
            async with asyncio.timeout(self._settings.check_s):
                await check()
        except (GenrecError, TimeoutError) as error:
            return type(error).__name__
        return "ok"
