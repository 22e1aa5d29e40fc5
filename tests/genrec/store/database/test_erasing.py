"""Whoever is erased leaves no byte in the files of the database, and whoever asks gets all that is held on them."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from genrec import Item, NotFound, StoreError, User
from genrec.store.database import Database, Erased, Feedback, Tenant
from genrec.store.database.link import Link
from tests.genrec.store.database.conftest import ITEMS, answer, event

_MARK = "zebra-4711"
"""In everything that is written about the one who is erased."""


def _write(tenant: Tenant, user_id: str) -> None:
    """Many rows of a user and of others between them, rewritten, as a service leaves them over time."""
    for round_ in range(8):
        for name in (user_id, "bob", "eve"):
            said = f"{name} says {round_} " * 40
            tenant.put_users([User(user_id=name, attributes={"about": said, f"{name}-key": "x"})])
            done = [
                event("lamp", name, event_id=f"{name}-{round_}-{n}", context={"place": f"{name} home", "note": said})
                for n in range(20)
            ]
            tenant.add_events(done)
            tenant.save_recommendation(answer(f"{name}-r{round_}", name, reason=said), {"instruction": said})
            tenant.add_feedback(Feedback(f"{name}-r{round_}", "lamp", "wrong"))
        tenant.delete_event(f"bob-{round_}-3")
        tenant.delete_event(f"{user_id}-{round_}-3")


def _bytes(url: str, server: str) -> bytes:
    """All files of a database, the log and its index of SQLite as well."""
    if url.startswith("sqlite"):
        return b"".join(file.read_bytes() for file in Path(url.removeprefix("sqlite:///")).parent.iterdir())
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("CHECKPOINT")
        [[folder]] = admin.execute("SHOW data_directory").fetchall()
    return b"".join(file.read_bytes() for file in Path(folder, "base").rglob("*") if file.is_file())


def test_no_byte_is_left_of_an_erased_user(database: Database, url: str, server: str, tenant: Tenant) -> None:
    _write(tenant, _MARK)
    _analyze(url)
    assert _bytes(url, server).count(_MARK.encode()) > 100
    assert tenant.erase_user(_MARK) == Erased(users=1, items=0, events=152, recommendations=8, feedback=8)
    left = _bytes(url, server)
    assert left.count(_MARK.encode()) == 0
    assert left.count(b"bob") > 100
    with pytest.raises(NotFound):
        tenant.user(_MARK)
    with pytest.raises(NotFound):
        tenant.export_user(_MARK)


def test_without_cleaning_bytes_would_be_left(
    database: Database, url: str, server: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the search finds what deleting alone leaves, or its finding nothing would mean nothing."""
    monkeypatch.setattr(Link, "scrub", lambda *_: None)
    _write(tenant, _MARK)
    tenant.erase_user(_MARK)
    assert _MARK.encode() in _bytes(url, server)


def test_a_plain_vacuum_of_postgresql_would_leave_bytes(postgres_url: str, server: str) -> None:
    """Why tables are written anew, though everybody has to wait for it."""
    tenant = _people(postgres_url, people=False)
    _write(tenant, _MARK)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DELETE FROM genrec_events WHERE user_id = %s", [_MARK])
        admin.execute("VACUUM genrec_events")
    assert _MARK.encode() in _bytes(postgres_url, server)


def test_others_keep_everything(tenant: Tenant) -> None:
    _write(tenant, _MARK)
    before = tenant.export_user("bob")
    tenant.erase_user(_MARK)
    assert tenant.export_user("bob") == before
    assert tenant.item("lamp") == ITEMS[0]


def test_erasing_again_erases_nothing_more(tenant: Tenant) -> None:
    assert tenant.erase_user("nobody") == Erased(users=0, items=0, events=0, recommendations=0, feedback=0)


def test_the_one_who_is_erased_may_come_back_as_new(tenant: Tenant) -> None:
    tenant.add_events([event(event_id="1")])
    tenant.erase_user("ann")
    tenant.add_events([event("chair", event_id="1")])
    assert [done.item_id for done in tenant.history("ann", 9)] == ["chair"]


def test_what_others_did_with_a_list_that_is_gone_stays(tenant: Tenant) -> None:
    tenant.put_users([User(user_id=name) for name in ("ann", "bob")])
    tenant.save_recommendation(answer("r1", "ann"), {})
    tenant.add_events([event("lamp", "bob", event_id="1")], recommendation_id="r1")
    tenant.erase_user("ann")
    [kept] = tenant.export_user("bob")["events"]
    assert kept["recommendation_id"] is None


def _people(url: str, *, people: bool) -> Tenant:
    tenant = Database.open(url, timeout_s=2).create_tenant("friends", people=people)
    tenant.put_items([*ITEMS, Item(item_id=_MARK, title="Zoe Quill")])
    return tenant


def _befriended(url: str, *, people: bool) -> Tenant:
    """Bob follows somebody, and is shown them; Eve is shown somebody with their name, and asks for them."""
    tenant = _people(url, people=people)
    tenant.put_users([User(user_id=name) for name in (_MARK, "bob", "eve")])
    tenant.add_events([event(_MARK, "bob", event_id="f1"), event("lamp", _MARK), event("lamp", "bob")])
    tenant.save_recommendation(answer("r1", "bob", _MARK), {})
    tenant.save_recommendation(answer("r2", "eve", reason="You know Zoe Quill."), {})
    tenant.save_recommendation(answer("r3", "eve"), {"instruction": "like Zoe Quill"})
    tenant.save_recommendation(answer("r4", "eve"), {"context": [{"ref": "f1"}]})
    tenant.save_recommendation(answer("r5", "bob"), {})
    tenant.add_feedback(Feedback("r1", _MARK, "helpful"))
    return tenant


def test_a_person_who_is_an_item_is_erased_as_one(url: str, server: str) -> None:
    tenant = _befriended(url, people=True)
    assert tenant.erase_user(_MARK) == Erased(users=1, items=1, events=2, recommendations=4, feedback=1)
    left = _bytes(url, server)
    assert _MARK.encode() not in left
    assert b"Zoe Quill" not in left
    assert tenant.recommendation("r5").recommendation.user_id == "bob"
    assert len(tenant.history("bob", 9)) == 1


def test_elsewhere_an_item_with_the_id_of_a_user_stays(url: str) -> None:
    tenant = _befriended(url, people=False)
    assert tenant.erase_user(_MARK) == Erased(users=1, items=0, events=1, recommendations=0, feedback=0)
    assert tenant.item(_MARK).title == "Zoe Quill"
    assert len(tenant.history("bob", 9)) == 2


def test_an_export_holds_every_row_and_is_json(url: str) -> None:
    tenant = _befriended(url, people=True)
    tenant.save_recommendation(answer("r6", _MARK), {"n": 1})
    tenant.add_feedback(Feedback("r6", "lamp", "wrong"))
    held = json.loads(json.dumps(tenant.export_user(_MARK)))
    assert {table: len(rows) for table, rows in held.items()} == {
        **{"users": 1, "items": 1, "events": 2, "recommendations": 1, "feedback": 1}
    }
    assert held["recommendations"][0]["request"] == {"n": 1}
    assert held["recommendations"][0]["body"]["items"][0]["reason"]["text"] == "Bright."
    assert {row["body"]["event_id"] for row in held["events"]} >= {"f1"}


def test_who_reads_what_was_erased_is_waited_for_and_named(url: str) -> None:
    """Then bytes are left, and erasing again removes them."""
    tenant = _people(url, people=False)
    tenant.add_events([event(event_id="1")])
    engine = create_engine(url)
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as reader:
        if engine.dialect.name == "sqlite":
            reader.exec_driver_sql("BEGIN")
        reader.execute(text("SELECT count(*) FROM genrec_tenants"))
        with pytest.raises(StoreError, match="another connection reads what was erased, traces are left: erase again"):
            tenant.erase_user("ann")
        reader.rollback()
    assert tenant.erase_user("ann").users == 0
    engine.dispose()


def _analyze(url: str) -> None:
    """PostgreSQL copies frequent values of most columns into its statistics, sooner or later."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()
