"""A database that acknowledges before it writes: what a service must never do, so that a benchmark can see it done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from genrec.errors import DataError
from genrec.store.database import Database, Stored, Tenant
from retrieval import Event, Item, User

_LATER_S = 0.05
_writer = ThreadPoolExecutor(1)


class HastyDatabase(Database):
    """Its tenants are hasty."""

    def tenant(self, name: str) -> Tenant:
        found = super().tenant(name)
        return _HastyTenant(self._link, found.name, found.pack, people=found.people)


class _HastyTenant(Tenant):
    """Writes items, users and events a moment after it has said that they are written."""

    def put_items(self, items: Sequence[Item]) -> None:
        _later(lambda: Tenant.put_items(self, items))

    def put_users(self, users: Sequence[User]) -> None:
        _later(lambda: Tenant.put_users(self, users))

    def add_events(self, events: Sequence[Event], *, recommendation_id: str | None = None) -> list[Stored | DataError]:
        _later(lambda: Tenant.add_events(self, events, recommendation_id=recommendation_id))
        return [Stored(event, repeated=False) for event in events]


def _later(write: Callable[[], object]) -> None:
    def work() -> None:
        time.sleep(_LATER_S)
        write()

    _writer.submit(work)
