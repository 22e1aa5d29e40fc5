"""Every promise is held on both databases: SQLite, and a real PostgreSQL with a database for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from genrec import Event, Evidence, Item, RankedItem, Reason, Recommendation, Trace
from genrec.store.database import Database, Tenant
from genrec.types import PromptVersion

ITEMS = [Item(item_id=item_id, title=item_id.title()) for item_id in ("lamp", "chair", "desk")]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/genrec.db"


@pytest.fixture
def postgres_url(server: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield server.replace("/postgres?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database.open(url, timeout_s=2)
    yield opened
    opened.close()


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """A tenant with three items."""
    made = database.create_tenant("acme")
    made.put_items(ITEMS)
    return made


def event(item_id: str = "lamp", user_id: str = "ann", **fields: object) -> Event:
    return Event.model_validate({"user_id": user_id, "item_id": item_id, "type": "view", **fields})


def answer(name: str = "r1", user_id: str = "ann", item_id: str = "lamp", reason: str = "Bright.") -> Recommendation:
    """A recommendation of one item."""
    evidence = Evidence(type="item", ref=item_id, text=item_id, weight=1.0, signal="semantic")
    shown = RankedItem(
        item_id=item_id,
        title=item_id.title(),
        rank=1,
        score=0.5,
        score_kind="fused",
        source="llm",
        reason=Reason(text=reason, source="llm"),
        evidence=(evidence,),
    )
    trace = Trace(strategy="labels", seed=1, model_weight=0.5, model_calls=1, candidates=())
    prompt = PromptVersion(name="general", version="0123456789ab")
    return Recommendation(id=name, user_id=user_id, items=(shown,), prompt=prompt, model="m", trace=trace)
