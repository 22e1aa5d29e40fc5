"""Connections to SQLite or PostgreSQL: durable, bounded in time, and with errors that name the cure.

Writers have connections of their own. SQLite takes one writer at a time, so there it is a single connection, for
which threads wait in line instead of asking again and again; readers see what was committed before they began.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, exc, make_url, text

from genrec.errors import DataError, StoreError
from genrec.store.database.failures import named_errors

_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_EXAMPLES = "give sqlite:///FILE or postgresql://USER@HOST/NAME"
_CONNECTIONS = 8
"""Of readers, and in PostgreSQL as many of writers."""


class Link:
    """A database by its URL. Nothing waits longer than `timeout_s`: half for a connection, half for a lock.

    Raises:
        DataError: the URL names no database that can be used, or its driver is not installed.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = _checked(url)
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._wait_s = timeout_s / 2
        self._readers = self._engine(_CONNECTIONS, writes=False)
        self._writers = self._engine(1 if self._sqlite else _CONNECTIONS, writes=True)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One view of the data, whatever others write meanwhile. Raises StoreError."""
        with named_errors(self.name), self._readers.begin() as connection:
            yield connection

    @property
    def writers(self) -> int:
        """How many may write at once."""
        return 1 if self._sqlite else _CONNECTIONS

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: on the disk when this is left, or on any error not there at all. Raises StoreError."""
        with named_errors(self.name), self._writers.begin() as connection:
            yield connection

    def keep_log(self) -> None:
        """SQLite: write ahead from now on, so that readers and the writer do not wait for each other.

        Raises:
            StoreError: the disk cannot do it.
        """
        if self._sqlite and (mode := self._bare("PRAGMA journal_mode=WAL")) != "wal":
            raise StoreError(f"{self.name}: the disk allows no write-ahead log, only {mode!r}: use a local disk")

    def scrub(self, tables: Sequence[Table]) -> None:
        """Leave nothing of deleted rows in the files of the tables. Takes time by their size.

        SQLite: `secure_delete` clears deleted cells but not what moves of pages have left elsewhere, so the file is
        written anew. PostgreSQL: VACUUM alone leaves the bytes where they are, so the tables are written anew, and
        nobody reads or writes them meanwhile.

        Raises:
            StoreError: somebody still reads what was deleted, or the disk has no room for a second copy.
        """
        if self._sqlite:
            self._bare("VACUUM")
            if self._bare("PRAGMA wal_checkpoint(TRUNCATE)") != 0:
                raise self._still_read()
            return
        with named_errors(self.name), self._writers.execution_options(isolation_level="AUTOCOMMIT").connect() as bare:
            bare.detach()  # closed at the end, with its settings
            bare.execute(text("SET statement_timeout = 0"))
            self._wait_for_readers(bare)
            for table in tables:
                bare.execute(text(f"VACUUM (FULL) {table.name}"))

    def close(self) -> None:
        """Close all connections."""
        self._readers.dispose()
        self._writers.dispose()

    def _wait_for_readers(self, bare: Connection) -> None:
        """PostgreSQL keeps a deleted row for every view that is older, and copies it when a table is written anew.

        Only views of the same user of PostgreSQL are seen here, unless that one may read all statistics.
        """
        older = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND age(backend_xmin) >= age(CAST(:now AS xid))"
        )
        now = bare.execute(text("SELECT CAST(CAST(pg_current_xact_id() AS xid) AS text)")).scalar_one()
        until = time.monotonic() + self._wait_s
        while bare.execute(older, {"now": now}).scalar_one():
            if time.monotonic() > until:
                raise self._still_read()
            time.sleep(0.02)

    def _still_read(self) -> StoreError:
        return StoreError(f"{self.name}: another connection reads what was erased, traces are left: erase again")

    def _bare(self, statement: str) -> Any:
        """The first value that SQLite answers, outside of any transaction."""
        with named_errors(self.name):
            raw = self._writers.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute(statement)
                return (cursor.fetchone() or (None,))[0]
            finally:
                raw.close()

    def _engine(self, connections: int, *, writes: bool) -> Engine:
        try:
            engine = create_engine(
                self._url,
                pool_size=connections,
                max_overflow=0,
                pool_timeout=self._wait_s,
                pool_pre_ping=not self._sqlite,
                hide_parameters=True,  # what people did stays out of logs
                connect_args=self._arguments(writes=writes),
            )
        except ImportError as error:
            raise DataError(f"{self.name}: {error}: pip install 'genrec[postgres]'") from error
        if self._sqlite:
            begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
            event.listen(engine, "connect", _prepare)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _arguments(self, *, writes: bool) -> dict[str, Any]:
        if self._sqlite:
            return {"timeout": self._wait_s}
        wait_ms = int(self._wait_s * 1000)
        # A long read gets on, and sees one moment; a write that takes so long holds up others.
        own = f"statement_timeout={2 * wait_ms}" if writes else r"default_transaction_isolation=repeatable\ read"
        return {
            "connect_timeout": max(2, int(self._wait_s)),
            "tcp_user_timeout": wait_ms,
            "options": f"-c synchronous_commit=on -c lock_timeout={wait_ms} -c {own}",
        }


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise DataError(f"{url!r} is not the URL of a database: {_EXAMPLES}") from error
    if parsed.drivername not in _DRIVERS:
        raise DataError(f"no database of the kind {parsed.drivername!r} can be used: {_EXAMPLES}")
    if parsed.drivername == "sqlite":
        _check_file(url, parsed)
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def _check_file(url: str, parsed: URL) -> None:
    file = parsed.database or ""
    if not file or file == ":memory:" or file.startswith("file:") or parsed.query or parsed.host:
        raise DataError(f"{url!r} names no file, which is all that SQLite is opened by: {_EXAMPLES}")
    if not Path(file).parent.is_dir():
        raise DataError(f"no folder {str(Path(file).parent)!r} for the database: make it, or name another file")


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    """Every connection to SQLite: transactions as we begin them, on the disk at commit, references checked."""
    connection.isolation_level = None
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
