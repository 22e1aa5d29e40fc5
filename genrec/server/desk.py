"""One tenant at work: what the database holds, in memory, caught up before every request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from genrec.config import Config
from genrec.engine import Engine, cache_folder
from genrec.errors import StoreError
from genrec.parts import build_retriever, hold_out
from genrec.recommender import Recommender
from genrec.scene import Ask, seed_of
from genrec.server.adapters import Adapters, Loaded
from genrec.server.contests import Contests
from genrec.server.failures import EmptyCatalogue
from genrec.server.lines import Lines
from genrec.server.logs import log_warning
from genrec.server.prompts import Prompts
from genrec.store import Store
from genrec.store.database import Changes, Mark, Tenant
from genrec.types import Variant
from retrieval import Encoder, Event, Weights
from retrieval.cache import VectorCache
from retrieval.fit import Case
from retrieval.guards import Guards, Quarantine, Released

MAY_LACK = "the database did not answer: this list may lack what was stored last"


@dataclass(frozen=True)
class Parts:
    """What all tenants share, and for one of them weights that were fitted to its data, and adapters trained on it."""

    engine: Engine
    encoder: Encoder
    config: Config
    lines: Lines
    guards: Guards | None = None
    weights: Weights | None = None
    model_weights: Mapping[str, float] | None = None
    adapters: Adapters | None = None


class Desk:
    """Lives on one event loop; what takes time happens in threads.

    Writes go to the tenant and are then read back by `catch_up`, as are those of other processes: there is one way into
    memory. When something was removed all of it is built anew, so that nothing of it is left in any cache or count;
    vectors come from the cache on disk.
    """

    def __init__(self, tenant: Tenant, parts: Parts) -> None:
        self.tenant = tenant
        self.prompts = Prompts(tenant)
        self.contests = Contests(tenant, self.prompts)
        self.read, self.write = parts.lines.reading.run, parts.lines.writing.run
        """Await what a method of the tenant returns. Raises what it raises, and StoreError."""
        self._parts = parts
        self._recommender: Recommender | None = None
        self._adapted: WeakKeyDictionary[Recommender, Recommender] = WeakKeyDictionary()
        """A recommender with the adapter that ranked last: gone with the recommender."""
        self._mark: Mark | None = None
        self.changing = asyncio.Lock()
        """Held by whoever reads a record, changes it and puts it back."""
        self._reading = asyncio.Lock()
        self._next: asyncio.Task[Recommender | None] | None = None

    async def catch_up(self) -> Recommender | None:
        """Know everything that was committed before this call: None where that is no item. Raises StoreError."""
        if self._next is None:  # whoever asks before it begins joins it, whoever asks later needs another
            self._next = asyncio.create_task(self._catch_up())
        return await asyncio.shield(self._next)

    async def after_write(self) -> None:
        """Catch up with a write that is on disk; where that fails now, the next request does it."""
        try:
            await self.catch_up()
        except Exception as error:  # the write is done, whatever becomes of this
            log_warning("not caught up after a write", error)

    async def after_removal(self) -> None:
        """The same; what is in memory is not used any more before it has caught up."""
        try:
            await self.catch_up()
        except Exception as error:
            self._mark = self._recommender = None
            log_warning("not caught up after a removal", error)

    async def current(self) -> Recommender:
        """The recommender with everything that is in the database. To rank with it, take it `at_hand`.

        Raises:
            StoreError: the database cannot be read. EmptyCatalogue: it holds no item. PromptError: the tenant's pack.
        """
        return self._adapted_by(self._loaded, await self._latest())

    @asynccontextmanager
    async def at_hand(self) -> AsyncIterator[tuple[Recommender, list[str]]]:
        """The same, whose adapter stays in the engine until this is left. Where the database cannot be read it is the
        recommender as it was, and a warning that says so.

        Raises:
            StoreError: there is none. EmptyCatalogue, PromptError: as above.
        """
        try:
            latest, warnings = await self._latest(), list[str]()
        except StoreError as error:
            if self._recommender is None:
                raise
            log_warning("answered from memory", error)
            latest, warnings = self._recommender, [MAY_LACK]
        loaded = self._loaded
        with loaded.held() if loaded else nullcontext():
            yield self._adapted_by(loaded, latest), warnings

    async def prompted(self, recommender: Recommender, at: str | None) -> Recommender:
        """The recommender with the prompts of a label or version; None keeps those that answer.

        Raises:
            NotFound: no such label or version. StoreError: the database cannot be read.
        """
        if at in {None, recommender.pack.version}:
            return recommender
        return recommender.with_pack(await self.read(self.prompts.pack, self.prompts.served, at))

    def held_out(self) -> tuple[Recommender, list[Case]]:
        """A recommender that does not know what each user took last, and those takes. Takes time; for threads.

        It asks the model without an adapter.

        Raises:
            DataError: too few users took anything after a first item. StoreError. PromptError.
        """
        found = self.tenant.snapshot()
        known, cases = hold_out(Store(found.items, found.users, found.events, people=self.tenant.people))
        return self._build(known, found.released), cases

    async def forget(self, user_id: str) -> list[str]:
        """Mark the adapters that saw a user who is erased, and say which they are. Raises StoreError."""
        return await self._parts.adapters.forget(user_id) if self._parts.adapters else []

    async def contested(self, recommender: Recommender, ask: Ask) -> tuple[Recommender, Variant | None]:
        """The recommender with the version of its prompts that is chosen for a request, where versions compete.

        While the database cannot be read nothing competes, nor for a list that must use nothing of its user.
        """
        try:
            standing = await self.read(self.contests.standing)
            if standing is None or not ask.profiling:
                return recommender, None
            variant = standing.contest.choose(ask.user_id, seed_of(recommender.config, ask), standing.counts)
            return await self.prompted(recommender, standing.versions[variant.label]), variant
        except StoreError as error:
            log_warning("versions of prompts do not compete now", error)
            return recommender, None

    def dated(self, event: Event) -> Event:
        """An event with a moment: its own, that of the same event when it was sent before, or now."""
        if event.timestamp:
            return event
        known = self._recommender.store.history(event.user_id) if self._recommender and event.event_id else ()
        before = next((other.timestamp for other in known if other.event_id == event.event_id), None)
        return event.model_copy(update={"timestamp": before or datetime.now(UTC)})

    async def _latest(self) -> Recommender:
        recommender = await self.catch_up()
        if recommender is None:
            raise EmptyCatalogue(f"the catalogue of {self.tenant.name!r} is empty: put items, then ask again")
        return recommender

    @property
    def _loaded(self) -> Loaded | None:
        return self._parts.adapters.now if self._parts.adapters else None

    def _adapted_by(self, loaded: Loaded | None, recommender: Recommender) -> Recommender:
        """The recommender with an adapter; the same one as long as neither changes, for the sake of what it keeps."""
        if loaded is None:
            return recommender
        adapted = self._adapted.get(recommender)
        if adapted is None or adapted.engine is not loaded.engine:
            adapted = self._adapted[recommender] = recommender.with_engine(loaded.engine, loaded.weight)
        return adapted

    async def _catch_up(self) -> Recommender | None:
        async with self._reading:
            self._next = None
            return await self.read(self._read)

    def _read(self) -> Recommender | None:
        changes = self.tenant.changes(self._mark) if self._mark else None
        if changes is None or changes.stale:
            self._load()
        elif changes.mark != self._mark:
            self._apply(changes)
        return self._recommender

    def _load(self) -> None:
        """All anew. Where that fails nothing is left, for what was there may have been removed."""
        self._mark = self._recommender = None
        found = self.tenant.snapshot()
        if found.items:
            store = Store(found.items, found.users, found.events, people=self.tenant.people)
            self._recommender = self._build(store, found.released)
        self._mark = found.mark

    def _apply(self, changes: Changes) -> None:
        if self._recommender is None:
            self._load()
            return
        self._mark = None  # half of it may be in when something fails: then all is loaded anew
        if changes.items:
            self._recommender.add_items(changes.items)
        if changes.users:
            self._recommender.add_users(changes.users)
        if changes.events:
            self._recommender.add_events(changes.events)
        pack = self.prompts.pack(self.prompts.served)
        if pack.version != self._recommender.pack.version:
            self._recommender = self._recommender.with_pack(pack)
        self._mark = changes.mark

    def _build(self, store: Store, released: Released) -> Recommender:
        parts, cache = self._parts, self._vectors(store)
        quarantine = Quarantine(parts.guards, released) if parts.guards else None
        retriever = build_retriever(
            store, parts.encoder, lambda _: None, parts.weights, cache=cache, quarantine=quarantine
        )
        pack = self.prompts.pack(self.prompts.served)
        config = parts.config.model_copy(update={"cache_salt": self.tenant.name})
        return Recommender(store, retriever, pack, parts.engine, config, model_weights=parts.model_weights)

    def _vectors(self, store: Store) -> VectorCache | None:
        """Where items are people, a cache of their own, which forgets the erased: a vector of a person is theirs.

        All others share one (None), which holds vectors and hashes of items' texts, and nothing of users.
        """
        if not self.tenant.people:
            return None
        cache = VectorCache(cache_folder() / f"vectors-of-{self.tenant.name}.sqlite")
        cache.keep_only(self._parts.encoder, [item.text() for item in store.items])
        return cache
