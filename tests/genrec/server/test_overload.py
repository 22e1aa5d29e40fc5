"""Too many at once, a model that fails, a database that does not answer: soon said, in the open."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from genrec import EngineError
from genrec.engine.base import Messages
from genrec.server.desk import MAY_LACK
from genrec.server.recommending import NOT_KEPT
from genrec.server.settings import Settings
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open, break_database, fill


def _ask(house: House) -> Any:
    return house.client.post("/v1/recommend", json={"user_id": "ann", "n": 2})


class _Held(ScriptedEngine):
    """An engine whose calls wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    async def _begin(self, stage: str, messages: Messages) -> None:
        await super()._begin(stage, messages)
        while not self.free.is_set():
            await asyncio.sleep(0.01)


def _until(house: House, gauge: str) -> None:
    for _ in range(500):
        if gauge in house.client.get("/metrics").text:
            return
        time.sleep(0.01)
    pytest.fail(f"never saw {gauge}")


def test_a_full_line_refuses_at_once(open_house: Open) -> None:
    engine = _Held()
    house = open_house(engine, settings=Settings(concurrency=1, queue=1))
    with ThreadPoolExecutor(2) as pool:
        served = [pool.submit(_ask, house), pool.submit(_ask, house)]
        _until(house, "genrec_recommendations_running 1.0")
        _until(house, "genrec_recommendations_waiting 1.0")
        refused = _ask(house)  # while nobody is served
        engine.free.set()
        assert [each.result().status_code for each in served] == [200, 200]
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
    assert refused.json()["error"]["retryable"]
    assert refused.headers["retry-after"] == "1"


def test_a_full_line_refuses_a_stream_with_a_status(open_house: Open) -> None:
    engine = _Held()
    house = open_house(engine, settings=Settings(concurrency=1, queue=0))
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(_ask, house)
        _until(house, "genrec_recommendations_running 1.0")
        assert house.client.post("/v1/recommend", json={"user_id": "ann", "stream": True}).status_code == 503
        engine.free.set()
        assert served.result().status_code == 200


def test_waiting_counts_against_the_deadline(open_house: Open) -> None:
    engine = ScriptedEngine(delay_s=30)
    house = open_house(engine, settings=Settings(concurrency=1, queue=5), deadline_s=0.8)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_ask, house)
        time.sleep(0.2)
        started = time.perf_counter()
        second = pool.submit(_ask, house).result()
        took = time.perf_counter() - started
        assert first.result().json()["fallback"]["cause"].startswith("EngineTimeout")
    if second.status_code == 200:  # it got the place of the first, with the little time that was left
        assert second.json()["fallback"]["cause"].startswith("EngineTimeout")
    else:
        assert (second.status_code, second.json()["error"]["code"]) == (504, "timeout")
    assert took < 5


@pytest.mark.parametrize(
    ("engine", "cause"),
    [
        (ScriptedEngine(error=EngineError("down")), "EngineError: down"),
        (ScriptedEngine(delay_s=60), "EngineTimeout"),
        (ScriptedEngine(scores=lambda _: math.nan), "AnswerError"),
        (ScriptedEngine(error=EngineError("down"), stage="generate"), "EngineError: down"),
    ],
    ids=["down", "hung", "garbage", "no reasons"],
)
def test_a_model_that_fails_is_flagged_in_time(open_house: Open, engine: ScriptedEngine, cause: str) -> None:
    house = open_house(engine, deadline_s=0.5)
    started = time.perf_counter()
    answer = _ask(house)
    assert time.perf_counter() - started < 10
    assert answer.status_code == 200
    assert answer.json()["fallback"]["cause"].startswith(cause)
    assert len(answer.json()["items"]) == 2
    stage, kind = answer.json()["fallback"]["stage"], cause.partition(":")[0]
    assert f'genrec_fallbacks_total{{cause="{kind}",stage="{stage}"}} 1.0' in house.client.get("/metrics").text


def test_reasons_that_are_garbage_are_refused_and_counted(open_house: Open) -> None:
    house = open_house(ScriptedEngine(text=", and 99 people agree."))
    assert [item["reason"]["source"] for item in _ask(house).json()["items"]] == ["template", "template"]
    assert "genrec_rejected_reasons_total 2.0" in house.client.get("/metrics").text


@contextmanager
def _locked(house: House) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    other = sqlite3.connect(house.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def test_a_locked_database_refuses_writes_and_serves_lists(house: House) -> None:
    house.list()
    with _locked(house):
        started = time.perf_counter()
        answer = house.list()
        assert time.perf_counter() - started < 10
        assert answer["warnings"] == [NOT_KEPT + "the database did not answer"]
        assert answer["items"]
        event = {"user_id": "ann", "item_id": "mocha", "type": "view", "event_id": "e1"}
        refused = house.client.post("/v1/events", json=event)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
        assert refused.headers["retry-after"]
        assert house.client.put("/v1/items/x", json={"title": "X"}).status_code == 503
        started = time.perf_counter()
        assert house.list()["items"]
        assert time.perf_counter() - started < 0.9  # nobody waits for a database that was away a moment ago
    time.sleep(1.1)
    assert house.client.post("/v1/events", json=event).status_code == 201
    assert house.list()["warnings"] == []


def test_a_database_that_cannot_be_read_leaves_what_is_in_memory(house: House) -> None:
    before = house.list()
    break_database(house)
    answer = house.list()
    assert answer["items"] == before["items"]
    assert answer["warnings"] == [MAY_LACK, NOT_KEPT + "the database did not answer"]
    assert house.client.get("/v1/items").json()["error"]["code"] == "store_unavailable"
    stream = house.client.post("/v1/recommend", json={"user_id": "ann", "stream": True})
    assert MAY_LACK in stream.text.partition("event: done")[2]


def test_a_tenant_that_was_never_read_waits_for_the_database(house: House) -> None:
    fill(house.database.create_tenant("other"))
    headers = house.key("read", tenant="other")
    assert house.client.get("/v1/items", headers=headers).status_code == 200
    break_database(house)
    answer = house.client.post("/v1/recommend", json={"user_id": "ann"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


def test_ready_asks_database_and_model(open_house: Open) -> None:
    house = open_house()
    answer = house.client.get("/health/ready", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "parts": {"database": "ok", "engine": "ok"}})
    assert house.client.get("/health/live").json() == {"status": "alive"}


@pytest.mark.parametrize("engine", [ScriptedEngine(error=EngineError("down")), ScriptedEngine(delay_s=60)])
def test_ready_says_that_the_model_is_not(open_house: Open, engine: ScriptedEngine) -> None:
    house = open_house(engine, settings=Settings(check_s=0.3))
    answer = house.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"] == "ok"
    assert answer.json()["parts"]["engine"] in {"EngineError", "TimeoutError"}
    assert house.client.get("/health/live").status_code == 200


def test_ready_says_that_the_database_is_not(house: House) -> None:
    with _locked(house):
        answer = house.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"database": "StoreError", "engine": "ok"}


def test_the_model_is_asked_once_for_many_probes(open_house: Open) -> None:
    class _Counting(ScriptedEngine):
        checks = 0

        async def check(self) -> None:
            type(self).checks += 1
            await asyncio.sleep(0.2)

        async def score_labels(self, messages: Messages, labels: Any, *, cache_salt: str | None = None) -> Any:
            raise NotImplementedError

    house = open_house(_Counting(), settings=Settings(keep_check_s=0.5))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: house.client.get("/health/ready"), range(16)))
    assert _Counting.checks == 1
    time.sleep(0.8)
    house.client.get("/health/ready")
    assert _Counting.checks == 2
