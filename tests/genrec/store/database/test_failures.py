"""A database that is locked, full, read-only, damaged or gone: a StoreError with the cure, and nothing half-written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import create_engine, text

from genrec import DataError, GenrecError, Item, StoreError
from genrec.store.database import Database, Stored, Tenant
from tests.genrec.store.database.conftest import ITEMS, event


@pytest.fixture
def file(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def filed(sqlite_url: str) -> Iterator[Database]:
    """A SQLite with a tenant and three items."""
    opened = Database.open(sqlite_url, timeout_s=1)
    opened.create_tenant("acme").put_items(ITEMS)
    yield opened
    opened.close()


def test_a_locked_sqlite_is_said_in_time_and_nothing_is_written(filed: Database, file: Path) -> None:
    tenant = filed.tenant("acme")
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreError, match="database is locked: the same can be sent again"):
            tenant.add_events([event(event_id="1")])
        assert time.monotonic() - began < 1
        with pytest.raises(StoreError, match="locked"):
            filed.check()
        assert tenant.history("ann", 9) == []  # reading goes on
        other.execute("ROLLBACK")
    assert tenant.add_events([event(event_id="1")]) == [Stored(event(event_id="1"), repeated=False)]


def test_a_locked_tenant_of_postgresql_is_said_in_time(postgres_url: str) -> None:
    database = Database.open(postgres_url, timeout_s=1)
    tenant = database.create_tenant("acme")
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM genrec_tenants FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(StoreError, match="lock timeout: the same can be sent again"):
            tenant.put_items(ITEMS)
        assert time.monotonic() - began < 1
        assert tenant.items() == []
        other.rollback()
    tenant.put_items(ITEMS)
    database.close()


def test_connections_that_postgresql_has_closed_are_made_anew(postgres_url: str, server: str) -> None:
    database = Database.open(postgres_url)
    tenant = database.create_tenant("acme")
    tenant.put_items(ITEMS)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
    assert len(tenant.items()) == 3
    tenant.put_items(ITEMS)
    database.close()


def test_a_postgresql_that_may_only_be_read_is_said(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    database.close()
    reading = Database.open(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        [[name]] = admin.execute("SELECT current_database()").fetchall()
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    reading.close()  # new connections take the new setting
    with pytest.raises(StoreError, match="read-only transaction: give the URL of a server that can be written"):
        reading.check()
    assert reading.tenants() == []
    reading.close()


_FULL = """
import resource, sys
from genrec import Event, Item, StoreError
from genrec.store.database import Database
tenant = Database.open(sys.argv[1], timeout_s=1).create_tenant("acme")
tenant.put_items([Item(item_id="lamp", title="Lamp")])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
kept = 0
try:
    while True:
        tenant.add_events([Event(user_id="ann", item_id="lamp", type="view", context={"x": "y" * 1000})] * 50)
        kept += 50
except StoreError as error:
    print(kept, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert len(tenant.snapshot().events) == kept
tenant.add_events([Event(user_id="ann", item_id="lamp", type="view")])
assert len(tenant.snapshot().events) == kept + 1
"""


def test_a_full_disk_is_said_and_what_was_acknowledged_is_there(sqlite_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, sqlite_url, "1000000"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kept, message = done.stdout.split(maxsplit=1)
    assert int(kept) > 0
    assert "full" in message
    assert message.count("\n") == 1


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may write whatever the rights of a file say."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_may_not_be_written_is_said() -> None:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/genrec.db"
        database = Database.open(url, timeout_s=1)
        database.create_tenant("acme")
        database.close()
        Path(folder, "genrec.db").chmod(0o444)
        Path(folder).chmod(0o555)
        with _as_nobody(), pytest.raises(StoreError, match="readonly database: let this process write the file"):
            Database.open(url, timeout_s=1)
        Path(folder).chmod(0o755)


def test_a_damaged_file_is_said_with_the_cure(sqlite_url: str, file: Path) -> None:
    """Wherever bytes are flipped: an error of ours, or everything is read."""
    database = Database.open(sqlite_url)
    tenant = database.create_tenant("acme")
    tenant.put_items([Item(item_id=str(n), title="x", attributes={"a": "y" * 200}) for n in range(300)])
    database.close()
    whole = file.read_bytes()
    outcomes = {_read(sqlite_url, file, whole, start) for start in range(0, len(whole), len(whole) // 40)}
    assert any("the file is damaged" in outcome for outcome in outcomes)
    assert all("restore a backup" in outcome and len(outcome) < 250 for outcome in outcomes - {"read", "other"})


def _read(url: str, file: Path, whole: bytes, start: int) -> str:
    damaged = bytes(byte ^ 0xFF for byte in whole[start : start + 600])
    file.write_bytes(whole[:start] + damaged + whole[start + 600 :])
    for log in file.parent.glob("*.db-*"):
        log.unlink()
    database = None
    try:
        database = Database.open(url, timeout_s=1)
        database.tenant("acme").snapshot()
    except DataError:
        return "other"
    except GenrecError as error:
        return str(error)
    finally:
        if database:
            database.close()
    return "read"


def test_a_damaged_row_is_said_with_the_cure(database: Database, url: str, tenant: Tenant) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE genrec_items SET body = 'lam'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"a row of Item is damaged: .*: restore a backup"):
        tenant.snapshot()


def test_no_database_at_all_is_said(sqlite_url: str, file: Path) -> None:
    file.write_text("Dear diary, " * 1000)
    with pytest.raises(StoreError, match="file is not a database: the file is damaged or no database"):
        Database.open(sqlite_url)
    assert file.read_text().startswith("Dear diary")


def test_too_many_at_once_are_told_to_come_back(filed: Database, file: Path) -> None:
    """One waits for the lock, the others for the one."""
    tenant: Tenant = filed.tenant("acme")

    def send(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"locked|too many wait"):
            tenant.add_events([event(event_id=str(number))])
        return time.monotonic() - began

    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(4) as threads:
            assert max(threads.map(send, range(4))) < 1.3
        other.execute("ROLLBACK")
