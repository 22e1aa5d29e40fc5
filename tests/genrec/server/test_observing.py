"""What those who run the service see: traces, headers, log lines, metrics; and what they must not see."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from genrec.server.settings import Settings
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_the_trace_of_the_caller_is_kept(standing_house: House) -> None:
    answer = standing_house.client.get("/v1/items/nothing", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert answer.headers["x-trace-id"] == answer.json()["error"]["trace_id"] == TRACE


@pytest.mark.parametrize("given", ["", "nonsense", f"00-{TRACE}", f"00-{'0' * 32}-00f067aa0ba902b7-01", "x" * 5000])
def test_another_trace_is_made_where_there_is_none(standing_house: House, given: str) -> None:
    found = [
        standing_house.client.get("/health/live", headers={"traceparent": given}).headers["x-trace-id"]
        for _ in range(2)
    ]
    assert len(set(found)) == 2
    assert all(len(trace) == 32 and trace != "0" * 32 for trace in found)


def test_headers_keep_browsers_safe(standing_house: House) -> None:
    for path in ("/v1/items", "/health/live", "/v1/nothing"):
        headers = standing_house.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_a_log_line_has_no_ids_no_texts_and_no_secrets(open_house: Open, log: io.StringIO) -> None:
    house = open_house(ScriptedEngine(error=RuntimeError("ann lives in Delft")))
    house.client.post("/v1/recommend", json={"user_id": "ann", "instruction": "a secret wish"})
    house.client.get("/v1/users/ann?after=ann")
    house.client.get("/v1/users/missing-person")
    house.client.get("/v1/who/ann")
    house.client.put("/v1/items/thing", json={"title": "\0"})
    text = log.getvalue()
    for word in ("ann", "Delft", "secret wish", "missing-person", "thing", house.secret):
        assert word not in text, word
    requests = [line for line in _lines(log) if line["message"] == "request"]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/v1/recommend", 500),
        ("/v1/users/{user_id}", 200),
        ("/v1/users/{user_id}", 404),
        ("none", 404),
        ("/v1/items/{item_id}", 422),
    ]
    assert {line["tenant"] for line in requests} == {"default"}
    assert all(line["trace_id"] and line["ms"] > 0 for line in requests)
    [failure] = [line for line in _lines(log) if line["message"] == "failure"]
    assert failure["error"] == "RuntimeError"
    assert failure["trace_id"] == requests[0]["trace_id"]
    assert any("testing.py" in place for place in failure["at"])


def test_what_libraries_log_comes_without_messages_of_errors(log: io.StringIO) -> None:
    try:
        raise ValueError("ann lives in Delft")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    logging.getLogger("asyncio").error("Task exception was never retrieved: %r", ValueError("ann lives in Delft"))
    logging.getLogger("bm25s").debug("building")
    first, second = _lines(log)
    assert (first["message"], first["error"]) == ("Exception in ASGI application", "ValueError")
    assert (second["message"], second["logger"]) == ("a library warns", "asyncio")
    assert "Delft" not in log.getvalue()


def test_metrics_count_what_was_done_and_name_nobody(house: House) -> None:
    house.list("ann")
    house.client.get("/v1/items/espresso")
    house.client.post("/v1/events", json={"user_id": "ann", "item_id": "mocha", "type": "view"})
    text = house.client.get("/metrics", headers={"Authorization": ""}).text
    assert 'genrec_requests_total{method="POST",route="/v1/recommend",status="200"} 1.0' in text
    assert 'genrec_requests_total{method="GET",route="/v1/items/{item_id}",status="200"} 1.0' in text
    assert 'genrec_step_seconds_count{step="rank"} 1.0' in text
    assert 'genrec_tokens_total{kind="prompt"}' in text
    assert "genrec_events_acknowledged_total 1.0" in text
    assert "genrec_recommendations_waiting 0.0" in text
    assert "ann" not in text
    assert "espresso" not in text
    assert "mocha" not in text


def test_a_body_that_is_too_large_is_refused_before_it_is_read(open_house: Open) -> None:
    house = open_house(settings=Settings(body_bytes=1000))
    answer = house.client.post("/v1/recommend", content=b"x" * 1001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert "1000 bytes" in answer.json()["error"]["message"]
    chunks = (b'{"user_id": "' + b"x" * 600 for _ in range(2))
    headers = {"Content-Type": "application/json"}
    assert house.client.post("/v1/recommend", content=chunks, headers=headers).status_code == 413
