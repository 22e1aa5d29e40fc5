"""What alerts stand on: readiness, refusals, failures that no status shows, and the limits that all is held against."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from prometheus_client.parser import text_string_to_metric_families

from genrec import EngineError
from genrec.server.settings import Settings
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open

ASK = {"user_id": "ann", "n": 2}


def _read(house: House, name: str, **labels: str) -> float | None:
    """The value of one sample; None where it was never counted."""
    families = text_string_to_metric_families(house.client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    found = [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]
    return found[0] if found else None


def test_a_scrape_asks_whether_the_parts_answer(open_house: Open) -> None:
    house = open_house(ScriptedEngine(error=EngineError("down")))
    assert _read(house, "genrec_ready", part="database") == 1
    assert _read(house, "genrec_ready", part="engine") == 0


def test_limits_are_there_to_compare_with(open_house: Open) -> None:
    house = open_house(settings=Settings(queue=7), deadline_s=12)
    assert _read(house, "genrec_recommendations_line") == 7
    assert _read(house, "genrec_deadline_seconds") == 12


def test_refusals_of_a_full_line_are_counted(open_house: Open) -> None:
    house = open_house(ScriptedEngine(delay_s=0.6), settings=Settings(concurrency=1, queue=0))
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(house.client.post, "/v1/recommend", json=ASK)
        time.sleep(0.3)
        assert house.client.post("/v1/recommend", json=ASK).status_code == 503
        assert house.client.post("/v1/recommend", json={**ASK, "stream": True}).status_code == 503
        assert served.result().status_code == 200
    assert _read(house, "genrec_recommendations_refused_total") == 2
    assert _read(house, "genrec_recommendations_failed_total", error="EngineBusy") == 1


def test_failures_inside_a_stream_and_a_batch_are_counted(open_house: Open) -> None:
    house = open_house(ScriptedEngine(error=RuntimeError("x"), stage="generate"))
    assert house.client.post("/v1/recommend", json={**ASK, "stream": True}).status_code == 200
    rows = [ASK, {"user_id": "nobody"}]
    assert house.client.post("/v1/recommend/batch", json={"requests": rows}).status_code == 200
    assert _read(house, "genrec_recommendations_failed_total", error="RuntimeError") == 2
    assert _read(house, "genrec_recommendations_failed_total", error="NotFound") == 1


def test_calls_that_the_database_did_not_answer_are_counted(house: House) -> None:
    house.list()
    assert _read(house, "genrec_database_errors_total") == 0
    with closing(sqlite3.connect(house.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert house.list()["warnings"]
        assert _read(house, "genrec_database_errors_total") == 1
        assert _read(house, "genrec_unkept_recommendations_total") == 1


def test_documents_in_order_count_too(open_house: Open) -> None:
    house = open_house(ScriptedEngine(error=EngineError("down")))
    house.client.post("/v1/rerank", json={"query": "tea", "documents": ["green tea", "espresso"]})
    assert _read(house, "genrec_fallbacks_total", stage="rank", cause="EngineError") == 1
    assert _read(house, "genrec_step_seconds_count", step="total") == 1
