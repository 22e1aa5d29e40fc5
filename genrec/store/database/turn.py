"""One tenant's data inside a transaction: a view to read by, a turn to write in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select, update

from genrec.store.database.link import Link
from genrec.store.database.records import Mark
from genrec.store.database.schema import tenants

_PORTION = 500
"""Rows that are in memory at once where there may be many."""


@dataclass
class View:
    """What a tenant's rows are at one moment."""

    connection: Connection
    tenant: str

    def of(self, table: Table, *columns: str) -> Select[Any]:
        """A query of the tenant's own rows, by which all reading begins."""
        return select(*(table.c[column] for column in columns)).where(table.c.tenant == self.tenant)

    def all(self, query: Select[Any]) -> list[Row[Any]]:
        """Every row that a query finds."""
        return list(self.connection.execute(query))

    def each(self, query: Select[Any]) -> Iterator[Row[Any]]:
        """The same in portions: for rows of any number and size."""
        yield from self.connection.execute(query, execution_options={"yield_per": _PORTION})

    def first(self, query: Select[Any]) -> Row[Any] | None:
        """The first row that a query finds."""
        return self.connection.execute(query).first()

    def mark(self) -> Mark:
        """How far the tenant has been written."""
        row = self.connection.execute(select(tenants.c.seq, tenants.c.epoch).where(tenants.c.name == self.tenant)).one()
        return Mark(row.seq, row.epoch)


@dataclass
class Turn(View):
    """The one who writes: other writers of the tenant wait, so numbers grow in the order of commits."""

    seq: int
    epoch: int

    def next(self) -> int:
        """The number of the row that is written now."""
        self.seq += 1
        return self.seq


@contextmanager
def view(link: Link, tenant: str) -> Iterator[View]:
    """Read at one moment. Raises StoreError."""
    with link.reading() as connection:
        yield View(connection, tenant)


@contextmanager
def turn(link: Link, tenant: str) -> Iterator[Turn]:
    """Write, all of it or on any error nothing. Raises StoreError."""
    own = tenants.c.name == tenant
    with link.writing() as connection:
        row = connection.execute(
            select(tenants.c.seq, tenants.c.epoch).where(own).with_for_update(key_share=True)
        ).one()
        mine = Turn(connection, tenant, row.seq, row.epoch)
        yield mine
        if (mine.seq, mine.epoch) != tuple(row):
            connection.execute(update(tenants).where(own).values(seq=mine.seq, epoch=mine.epoch))
