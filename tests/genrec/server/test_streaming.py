"""Server-sent events: their order, heartbeats, and that leaving frees the model; some over a real connection."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from genrec import EngineError, RankedItem
from genrec.engine.base import Chunk, LabelScores, Messages, Sampling
from genrec.server.app import create_app
from genrec.server.settings import Settings
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open, bearer

Event = tuple[str, Any]
Answer = http.client.HTTPResponse


def parse(text: str) -> list[Event]:
    """Events by name, with their data; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def _stream(house: House, **more: Any) -> list[Event]:
    answer = house.client.post("/v1/recommend", json={"user_id": "ann", "n": 3, "stream": True, **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    return parse(answer.text)


def test_events_come_in_order_and_say_what_json_says(house: House) -> None:
    events = _stream(house)
    assert [name for name, _ in events] == ["meta", "order", "item", "item", "item", "usage", "done"]
    meta, order, usage, done = events[0][1], events[1][1], events[-2][1], events[-1][1]
    items = sorted((RankedItem.model_validate(data) for name, data in events if name == "item"), key=lambda i: i.rank)
    assert meta["provisional"]
    assert [item["item_id"] for item in order["items"]] == [item.item_id for item in items]
    assert all("reason" not in item and item["evidence"] for item in [*meta["items"], *order["items"]])
    assert all(item.reason for item in items)
    whole = house.client.get(f"/v1/recommendations/{meta['id']}").json()
    assert whole["items"] == [item.model_dump(mode="json") for item in items]
    assert {"usage": usage, **done} == {name: whole[name] for name in ("usage", "fallback", "warnings", "timings_ms")}


def test_items_without_a_reason_are_sent_before_the_usage(open_house: Open) -> None:
    events = _stream(open_house(ScriptedEngine(error=EngineError("down"))))
    assert [name for name, _ in events] == ["meta", "order", "item", "item", "item", "usage", "done"]
    assert [data["reason"] for name, data in events if name == "item"] == [None] * 3
    assert events[-1][1]["fallback"]["cause"] == "EngineError: down"


def test_a_text_with_ends_of_lines_stays_in_its_event(house: House) -> None:
    title = "Matcha\n\nevent: done\ndata: {}\r\x85\u2028\u2029 end"
    house.client.put("/v1/items/matcha", json={"title": title, "categories": ["tea"], "description": "tea to drink"})
    meta = _stream(house, n=6)[0][1]
    assert title in [item["title"] for item in meta["items"]]


def test_what_can_be_refused_is_refused_with_a_status(house: House, open_house: Open) -> None:
    asked = {"user_id": "nobody", "stream": True}
    assert house.client.post("/v1/recommend", json=asked).status_code == 404
    assert open_house(empty=True).client.post("/v1/recommend", json=asked).status_code == 409
    assert [name for name, _ in _stream(house, user_id="nobody", profiling=False)][-1] == "done"


def test_what_fails_later_is_an_error_event(open_house: Open) -> None:
    events = _stream(open_house(ScriptedEngine(error=RuntimeError("hunter2"), stage="generate")))
    assert [name for name, _ in events] == ["meta", "order", "error"]
    assert events[-1][1]["error"]["code"] == "internal"
    assert "hunter2" not in str(events)


def test_an_event_can_name_a_list_that_still_streams(open_house: Open) -> None:
    house = open_house(_Slow(reason_s=1.0))
    with _serving(house) as port, _opened(port, house) as answer:
        name, meta = _read_event(answer)
        assert (name, _read_event(answer)[0]) == ("meta", "order")
        body = {"user_id": "ann", "item_id": "mocha", "type": "click", "recommendation_id": meta["id"]}
        assert _post(port, house, "/v1/events", body)[0] == 201
        assert [_read_event(answer)[0] for _ in range(4)] == ["item", "item", "usage", "done"]
    again = house.client.get(f"/v1/recommendations/{meta['id']}").json()
    assert all(item["reason"] for item in again["items"])


class _Slow(ScriptedEngine):
    """Ranks and writes as slowly as it is told, and notes what was cancelled."""

    def __init__(self, rank_s: float = 0, reason_s: float = 0) -> None:
        super().__init__()
        self._rank_s, self._reason_s = rank_s, reason_s
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def score_labels(self, messages: Messages, labels: Any, *, cache_salt: str | None = None) -> LabelScores:
        await self._wait("score", self._rank_s)
        return await super().score_labels(messages, labels, cache_salt=cache_salt)

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        await self._wait("generate", self._reason_s)
        async for chunk in super().generate(messages, sampling):
            yield chunk

    async def _wait(self, what: str, seconds: float) -> None:
        self.begun.append(what)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(what)
            raise


@contextmanager
def _serving(house: House) -> Iterator[int]:
    """The app on a real uvicorn; its service stays open for the test client."""
    app = create_app(house.service, "test")
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        _until(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def _opened(
    port: int, house: House, **more: Any
) -> Iterator[tuple[http.client.HTTPResponse, http.client.HTTPConnection]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"user_id": "ann", "n": 2, "stream": True, **more})
    connection.request("POST", "/v1/recommend", body, {"Content-Type": "application/json", **bearer(house.secret)})
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def _post(port: int, house: House, path: str, body: Any) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **bearer(house.secret)})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def _read_event(answer: Answer) -> Event:
    lines: list[str] = []
    while (line := answer.readline().decode().rstrip("\n")) or not lines:
        if line and not line.startswith(":"):
            lines.append(line)
    fields = dict(line.split(": ", 1) for line in lines)
    return fields["event"], json.loads(fields["data"])


def _until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_each_item_arrives_when_its_reason_is_ready(open_house: Open) -> None:
    house = open_house(_Slow(reason_s=0.5))
    with _serving(house) as port, _opened(port, house) as answer:
        started = time.perf_counter()
        assert [_read_event(answer)[0] for _ in range(2)] == ["meta", "order"]
        assert time.perf_counter() - started < 0.4
        assert _read_event(answer)[0] == "item"
        assert time.perf_counter() - started > 0.4


def test_comments_keep_the_connection_open(open_house: Open) -> None:
    house = open_house(_Slow(rank_s=0.6), settings=Settings(heartbeat_s=0.1))
    with _serving(house) as port, _opened(port, house) as answer:
        assert _read_event(answer)[0] == "meta"
        assert answer.readline() == b": ping\n"
        assert _read_event(answer)[0] == "order"


def test_what_retrieval_found_is_sent_before_the_model_is_asked(open_house: Open) -> None:
    engine = _Slow(rank_s=30)
    house = open_house(engine)
    with _serving(house) as port, _opened(port, house) as answer:
        name, meta = _read_event(answer)
        assert (name, meta["provisional"]) == ("meta", True)
        kept = house.client.get(f"/v1/recommendations/{meta['id']}").json()
        assert [item["item_id"] for item in kept["items"]] == [item["item_id"] for item in meta["items"]]


def test_an_order_that_stands_is_not_sent_again(open_house: Open) -> None:
    events = _stream(open_house(model_weight=0.0))
    assert [name for name, _ in events] == ["meta", "item", "item", "item", "usage", "done"]
    assert events[0][1]["provisional"] is False


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("slow", "what"), [({"rank_s": 30}, "score"), ({"reason_s": 30}, "generate")])
def test_leaving_cancels_the_call_of_the_model(
    open_house: Open, slow: dict[str, float], what: str, stream: bool
) -> None:
    engine = _Slow(**slow)
    house = open_house(engine, settings=Settings(concurrency=1))
    with _serving(house) as port:
        connection = socket.create_connection(("127.0.0.1", port))
        body = json.dumps({"user_id": "ann", "n": 2, "stream": stream})
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.secret}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall((head + body).encode())
        _until(lambda: what in engine.begun)
        assert not engine.cancelled
        connection.close()
        _until(lambda: what in engine.cancelled)
        _until(lambda: house.service.metrics.running._value.get() == 0)  # its place is free again


def test_a_chunked_body_that_is_too_large_is_refused(open_house: Open) -> None:
    house = open_house(settings=Settings(body_bytes=100_000))
    with _serving(house) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        chunks = (b"x" * 30_000 for _ in range(10))
        headers = {"Content-Type": "application/json", **bearer(house.secret)}
        with suppress(BrokenPipeError, ConnectionResetError):  # it is refused while we still send
            connection.request("POST", "/v1/recommend", chunks, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
