"""Every promise is held on both databases: SQLite, and a real PostgreSQL with a database for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genrec import Event, Evidence, Item, RankedItem, Reason, Recommendation, Trace
from genrec.store.database import Database, Tenant
from genrec.types import PromptVersion

ITEMS = [Item(item_id=item_id, title=item_id.title()) for item_id in ("lamp", "chair", "desk")]


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
