"""Two processes on one database, SQLite and PostgreSQL: what one acknowledges the other knows in its next answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from genrec import Config
from genrec.server.app import create_app
from genrec.server.service import Service
from genrec.store.database import Database
from genrec.testing import FakeEncoder, ScriptedEngine
from tests.genrec.server.conftest import ALL, bearer, fill


@pytest.fixture
def two(url: str, own_cache: Path) -> Iterator[list[TestClient]]:
    with ExitStack() as opened:
        first = Database.open(url, timeout_s=2)
        fill(first.create_tenant("default"))
        secret = first.add_key("default", "all", ALL)
        yield [
            opened.enter_context(TestClient(create_app(_service(database), "test"), headers=bearer(secret)))
            for database in (first, Database.open(url, timeout_s=2))
        ]


def _service(database: Database) -> Service:
    return Service(database, ScriptedEngine(), FakeEncoder(), config=Config(model_weight=1.0))


def _listed(client: TestClient, user_id: str = "new") -> set[str]:
    answer = client.post("/v1/recommend", json={"user_id": user_id, "n": 10})
    assert answer.status_code == 200, answer.text
    assert "kept" not in str(answer.json()["warnings"])
    return {item["item_id"] for item in answer.json()["items"]}


def test_what_one_acknowledges_the_other_knows(two: list[TestClient]) -> None:
    here, there = two
    assert _listed(here) == _listed(there)
    event = {"user_id": "new", "item_id": "mocha", "type": "purchase", "event_id": "e1"}
    assert [each.post("/v1/events", json=event).status_code for each in (here, there)] == [201, 200]
    assert "mocha" not in _listed(there)
    assert there.put("/v1/items/chai", json={"title": "Chai"}).status_code == 200
    assert "chai" in _listed(here)
    assert there.delete("/v1/events/e1").status_code == 204
    assert "mocha" in _listed(here)
    given = here.post("/v1/recommend", json={"user_id": "ann"}).json()
    assert there.get(f"/v1/recommendations/{given['id']}/next").status_code == 200
    assert there.delete("/v1/users/ann").json()["recommendations"] == 2
    assert here.post("/v1/recommend", json={"user_id": "ann"}).status_code == 404
    assert here.delete("/v1/items/chai").status_code == 204
    assert "chai" not in _listed(there)
