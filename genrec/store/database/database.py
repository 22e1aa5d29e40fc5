"""A database of tenants and their keys, by its URL."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Self

from sqlalchemy import Connection, Row, select

from genrec.errors import Conflict, DataError, NotFound
from genrec.store.database import keys, sessions
from genrec.store.database.link import Link
from genrec.store.database.migrating import migrate
from genrec.store.database.records import Key, PublicKey, Scope
from genrec.store.database.rows import add, now, upsert
from genrec.store.database.schema import checks, tenants
from genrec.store.database.tenant import Tenant

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Database:
    """SQLite or PostgreSQL, for any number of threads; PostgreSQL also for several processes and machines.

    Every method may raise StoreError, and can then be called again.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @classmethod
    def open(cls, url: str, *, timeout_s: float = 5) -> Self:
        """Open a database, and make its tables or bring them to those of this genrec.

        `sqlite:///FILE` (four slashes where the path begins with one) or `postgresql://USER@HOST/NAME`. Nothing waits
        longer than `timeout_s` for a connection and a lock.

        Raises:
            DataError: the URL cannot be used, its driver is not installed, or a newer genrec made the tables.
            StoreError: the database is locked, full, broken or out of reach.
        """
        link = Link(url, timeout_s)
        try:
            link.keep_log()
            migrate(link)
        except BaseException:
            link.close()
            raise
        return cls(link)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._link.name

    @property
    def writers(self) -> int:
        """How many may write at once: more of them only wait for each other."""
        return self._link.writers

    def check(self) -> None:
        """Raises StoreError where the database cannot be read and written now."""
        with self._link.writing() as connection:
            upsert(connection, checks, [{"name": "written", "time": now()}])

    def tenants(self) -> list[str]:
        """Every tenant's name."""
        with self._link.reading() as connection:
            return list(connection.execute(select(tenants.c.name).order_by(tenants.c.name)).scalars())

    def tenant(self, name: str) -> Tenant:
        """Raises NotFound."""
        with self._link.reading() as connection:
            row = _row(connection, name)
        return Tenant(self._link, name, row.pack, people=row.people)

    def create_tenant(self, name: str, *, pack: str = "general", people: bool = False) -> Tenant:
        """Make room for a tenant. `people`: an item and a user with the same id are one person.

        Raises:
            Conflict: the name is taken.
            DataError: the name is no name.
        """
        if not _NAME.fullmatch(name):
            raise DataError(f"tenant {name!r}: take 1 to 63 of a-z, 0-9 and -, and begin with no -")
        row = {"name": name, "pack": pack, "people": people, "seq": 0, "epoch": 0, "created_at": now()}
        with self._link.writing() as connection:
            if not add(connection, tenants, row):
                raise Conflict(f"tenant {name!r} is there already: take another name")
        return Tenant(self._link, name, pack, people=people)

    def add_key(self, tenant: str, name: str, scopes: Collection[Scope]) -> str:
        """Make an API key: its secret, which nobody can read again.

        Raises:
            Conflict: the tenant has a key of that name.
            DataError: no scope, or one that there is not.
            NotFound: an unknown tenant.
        """
        with self._link.writing() as connection:
            _row(connection, tenant, lock=True)
            return keys.add(connection, tenant, name, scopes)

    def add_public_key(self, tenant: str, name: str, origins: Collection[str]) -> PublicKey:
        """Make a key that may stand in pages of these origins: it lets them ask for lists, and for nothing else.

        Raises:
            Conflict: the tenant has a key of that name.
            DataError: no origin, or one that is none.
            NotFound: an unknown tenant.
        """
        with self._link.writing() as connection:
            _row(connection, tenant, lock=True)
            return keys.add_public(connection, tenant, name, origins)

    def origins(self) -> frozenset[str]:
        """The origins of all public keys, of all tenants."""
        with self._link.reading() as connection:
            return keys.origins(connection)

    def keys(self, tenant: str) -> list[Key]:
        """A tenant's keys by their names. Raises NotFound for an unknown tenant."""
        with self._link.reading() as connection:
            _row(connection, tenant)
            return keys.of(connection, tenant)

    def revoke_key(self, tenant: str, name: str) -> None:
        """Take a key away, from the next request on. Raises NotFound."""
        with self._link.writing() as connection:
            keys.revoke(connection, tenant, name)

    def find_key(self, secret: str) -> Key | None:
        """The key whose secret this is."""
        with self._link.reading() as connection:
            return keys.find(connection, secret)

    def begin_session(self, secret: str) -> str | None:
        """Sign in: the token of a session for the key whose secret this is. It ends with the key, or after 12 hours."""
        with self._link.writing() as connection:
            return sessions.begin(connection, secret)

    def find_session(self, token: str) -> Key | None:
        """The key that a session stands for."""
        with self._link.reading() as connection:
            return sessions.find(connection, token)

    def end_session(self, token: str) -> None:
        """Sign out. Ending it again does no harm."""
        with self._link.writing() as connection:
            sessions.end(connection, token)

    def close(self) -> None:
        """Close all connections."""
        self._link.close()


def _row(connection: Connection, name: str, *, lock: bool = False) -> Row[Any]:
    query = select(tenants).where(tenants.c.name == name)
    row = connection.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise NotFound(f"no tenant {name!r}: make it first, or correct the name")
    return row
