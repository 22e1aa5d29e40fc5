"""Opening a database, its tenants and keys, and the tables of older and newer genrecs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from genrec import Conflict, DataError, Item, NotFound, StoreError, User
from genrec.store.database import Database, Tenant
from genrec.store.database.migrating import REVISIONS
from genrec.store.database.schema import metadata
from tests.genrec.store.database.conftest import ITEMS, event


def test_what_was_written_is_there_when_opened_again(database: Database, url: str, tenant: Tenant) -> None:
    tenant.add_events([event(event_id="1")])
    database.close()
    again = Database.open(url)
    assert again.tenants() == ["acme"]
    assert again.tenant("acme").snapshot().events == (event(event_id="1"),)
    again.check()
    again.close()


def test_a_tenant_keeps_what_it_was_made_with(database: Database) -> None:
    database.create_tenant("friends", pack="social", people=True)
    found = database.tenant("friends")
    assert (found.name, found.pack, found.people) == ("friends", "social", True)
    with pytest.raises(Conflict, match="tenant 'friends' is there already"):
        database.create_tenant("friends")
    with pytest.raises(NotFound, match="no tenant 'foes'"):
        database.tenant("foes")


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a" * 64, "a\n", "ä", "a/b"])
def test_a_name_that_is_none_is_refused(database: Database, name: str) -> None:
    with pytest.raises(DataError, match="1 to 63 of a-z"):
        database.create_tenant(name)
    assert database.tenants() == []


def test_tenants_that_are_made_at_once_are_made_once(database: Database) -> None:
    def make(_: int) -> bool:
        try:
            database.create_tenant("acme")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(make, range(8))) == 1


def test_a_key_is_found_by_its_secret_only(database: Database, tenant: Tenant) -> None:
    secret = database.add_key("acme", "shop", ["write", "read"])
    database.create_tenant("other")
    database.add_key("other", "shop", ["admin"])
    key = database.find_key(secret)
    assert key is not None
    assert (key.tenant, key.name, key.scopes) == ("acme", "shop", frozenset({"read", "write"}))
    assert database.keys("acme") == [key]
    changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for wrong in (
        changed,
        "",
        "genrec_",
        secret + "a",
        secret.upper(),
        f"genrec_{'0' * 16}_{'a' * 43}",
        "\ud800",
        "\0",
    ):
        assert database.find_key(wrong) is None
    database.revoke_key("acme", "shop")
    assert database.find_key(secret) is None
    with pytest.raises(NotFound, match="no key 'shop'"):
        database.revoke_key("acme", "shop")


def test_a_public_key_knows_its_origins_and_verifies_with_its_secret(database: Database, tenant: Tenant) -> None:
    shop, local = "https://shop.example", "http://127.0.0.1:8080"
    made = database.add_public_key("acme", "window", [shop, local, shop])
    key = database.find_key(made.key)
    assert key is not None
    assert (key.public, key.scopes, key.origins) == (True, frozenset(), frozenset({shop, local}))
    assert key.signing_secret == made.signing_secret
    assert made.signing_secret not in repr(key)
    assert database.origins() == {shop, local}
    database.revoke_key("acme", "window")
    assert database.origins() == frozenset()


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/",
        "https://Shop.example",
        "https://shop.example:443",
        "https://me@shop.example",
        "https://shop.example https://other.example",
        "https://shop.example:x",
        "ftp://shop.example",
        "null",
        "*",
        "",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(database: Database, tenant: Tenant, origin: str) -> None:
    with pytest.raises(DataError, match="is none that a browser sends"):
        database.add_public_key("acme", "window", [origin])


def test_a_public_key_needs_an_origin(database: Database, tenant: Tenant) -> None:
    with pytest.raises(DataError, match="has no origin"):
        database.add_public_key("acme", "window", [])


def test_nobody_keeps_the_secret_of_a_key(tmp_path: Path, sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.create_tenant("acme")
    secret = database.add_key("acme", "shop", ["read"])
    random = secret.split("_", 2)[2].encode()
    assert random not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    database.close()


def test_a_key_that_cannot_be_is_refused(database: Database, tenant: Tenant) -> None:
    database.add_key("acme", "shop", ["read"])
    with pytest.raises(Conflict, match="has a key 'shop' already"):
        database.add_key("acme", "shop", ["read"])
    with pytest.raises(DataError, match=r"scopes \['all'\] of key 'x': give one or more of read, write, admin"):
        database.add_key("acme", "x", ["all"])  # type: ignore[list-item]
    with pytest.raises(DataError, match="give one or more"):
        database.add_key("acme", "x", [])
    with pytest.raises(NotFound, match="no tenant 'nobody'"):
        database.add_key("nobody", "x", ["read"])
    with pytest.raises(NotFound, match="no tenant 'nobody'"):
        database.keys("nobody")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("genrec.db", "is not the URL of a database: give sqlite:///FILE"),
        ("mysql://x/y", "no database of the kind 'mysql'"),
        ("postgresql+asyncpg://x/y", "of the kind 'postgresql.asyncpg'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file"),
        ("sqlite:////nowhere/at/all/x.db", "no folder '/nowhere/at/all' for the database: make it"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_with_the_cure(url: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Database.open(url)


def test_a_missing_driver_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DataError, match=r"pip install 'genrec\[postgres\]'"):
        Database.open("postgresql://x/y")


def test_a_password_is_in_no_name_and_no_message() -> None:
    with pytest.raises(StoreError) as error:
        Database.open("postgresql://me:secret@127.0.0.1:1/x", timeout_s=1)
    assert "secret" not in str(error.value)
    assert "me:***@127.0.0.1:1/x" in str(error.value)
    assert error.value.retryable


def test_a_database_that_is_not_there_is_named(server: str) -> None:
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        Database.open(server.replace("/postgres?", "/nowhere?"))


def test_the_last_revision_is_what_the_models_say(url: str) -> None:
    Database.open(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        options = {"version_table": REVISIONS, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


_LATER = {
    "genrec_keys": ("origins", "signing_secret"),
    "genrec_items": ("released",),
    "genrec_users": ("withheld", "released"),
    "genrec_tenants": ("contest",),
    "genrec_recommendations": ("arm", "holdout"),
}
"""Columns that the first revision did not have."""


def test_a_database_of_the_first_revision_is_brought_up_and_keeps_its_keys(url: str) -> None:
    database = Database.open(url)
    database.create_tenant("acme")
    secret = database.add_key("acme", "shop", ["read"])
    database.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        for index in ("genrec_recommendations_by_time", "genrec_recommendations_by_arm", "genrec_events_of_list"):
            connection.execute(text(f"DROP INDEX {index}"))
        for table, columns in _LATER.items():
            for column in columns:
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("DROP TABLE genrec_sessions"))
        connection.execute(text("UPDATE genrec_revision SET version_num = '1'"))
    database = Database.open(url)
    key = database.find_key(secret)
    assert key is not None
    assert (key.scopes, key.public) == ({"read"}, False)
    assert database.add_public_key("acme", "window", ["https://shop.example"]).key
    assert (token := database.begin_session(secret))
    assert database.find_session(token) == key
    database.tenant("acme").put_users([User(user_id="ann", attributes={"age": 31})])
    assert database.tenant("acme").withhold("ann", ["age"]) == ["age"]
    database.close()
    engine.dispose()


def test_a_newer_revision_is_refused_and_left_alone(url: str) -> None:
    Database.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE genrec_revision SET version_num = '999'"))
    with pytest.raises(DataError, match="revision '999', which a newer genrec made: install that one"):
        Database.open(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM genrec_revision")).scalar_one() == "999"
    engine.dispose()


def test_tables_are_made_whole_or_not_at_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("alembic.op.create_index", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Database.open(url)
    whole = Database.open(url)
    whole.create_tenant("acme")
    whole.close()


def test_several_open_a_new_database_at_once(url: str) -> None:
    """As the processes of a service do when it is started for the first time."""
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: Database.open(url), range(4)))
    opened[0].create_tenant("acme").put_items(ITEMS)
    assert opened[3].tenant("acme").item("lamp") == Item(item_id="lamp", title="Lamp")
    for database in opened:
        database.close()


def test_genrec_is_imported_without_a_database() -> None:
    program = "import sys, genrec, genrec.store; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_migrations_lie_in_the_package() -> None:
    package = Path(importlib.import_module("genrec.store.database").__file__ or "").parent
    assert (package / "migrations" / "versions" / "r1_tables.py").exists()
