"""Spans: one trace for each request, across event loops; ended whatever happens; and nothing in them about anybody."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from genrec import DataError, EngineError, tracing
from genrec.engine import HttpEngine
from genrec.server.exporting import begin_exporting
from genrec.server.running import Place, serve
from genrec.server.settings import Settings
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open, bearer
from tests.genrec.server.test_streaming import _serving, _Slow, _until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
STEPS = ["retrieve", "render", "rank", "explain"]


class Spans:
    """What was recorded until now."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, *names: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name in names]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Spans are recorded, in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("genrec"))
    return Spans(exporter)


def _id(span: ReadableSpan) -> str:
    return format_trace_id(span.context.trace_id)


def _inside(inner: ReadableSpan, outer: ReadableSpan) -> bool:
    """A child, begun and ended within its parent."""
    child = inner.parent is not None and inner.parent.span_id == outer.context.span_id
    return child and outer.start_time <= inner.start_time <= inner.end_time <= outer.end_time


def test_a_request_is_one_trace_with_its_steps_in_it(house: House, spans: Spans) -> None:
    answer = house.client.post("/v1/recommend", json={"user_id": "ann", "n": 2}, headers=TRACEPARENT)
    whole = spans.one("POST /v1/recommend")
    assert {_id(span) for span in spans.all()} == {TRACE} == {answer.headers["x-trace-id"]}
    assert whole.kind is SpanKind.SERVER
    assert whole.parent
    assert format_span_id(whole.parent.span_id) == CALLER
    steps = [spans.one(step) for step in STEPS]
    assert all(_inside(step, whole) for step in steps)
    assert all(one.end_time <= other.start_time for one, other in pairwise(steps))
    checks = spans.named("check")
    assert len(checks) == 2
    assert all(_inside(check, spans.one("explain")) for check in checks)
    assert len(spans.all()) == 1 + 4 + 2


def test_a_span_lasts_as_long_as_the_answer_says(open_house: Open, spans: Spans) -> None:
    answer = open_house(ScriptedEngine(delay_s=0.1)).list()
    for step in STEPS:
        span = spans.one(step)
        assert (span.end_time - span.start_time) / 1e6 == pytest.approx(answer["timings_ms"][step], abs=5)
    assert answer["timings_ms"]["rank"] >= 100


def test_spans_say_versions_and_numbers(house: House, spans: Spans) -> None:
    answer = house.list()
    found = spans.one("explain").attributes
    assert found
    assert found["genrec.prompt"] == f"{answer['prompt']['name']}@{answer['prompt']['version']}"
    assert found["genrec.model"] == "scripted"
    assert found["genrec.candidates"] == len(answer["trace"]["candidates"])
    assert (found["genrec.items"], found["genrec.reasons"]) == (3, 3)
    assert found["genrec.prompt_tokens"] == answer["usage"]["prompt_tokens"]
    assert "genrec.fallback" not in found
    assert spans.one("POST /v1/recommend").attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/recommend",
        "http.response.status_code": 200,
        "genrec.tenant": "default",
    }


def test_a_fallback_is_seen_by_its_stage(open_house: Open, spans: Spans) -> None:
    open_house(ScriptedEngine(error=EngineError("ann lives in Delft"), stage="score")).list()
    assert (spans.one("rank").attributes or {})["genrec.fallback"] == "rank"
    assert spans.one("rank").status.is_ok
    assert "Delft" not in "".join(span.to_json() for span in spans.all())


def test_an_error_leaves_its_class_and_no_message(open_house: Open, spans: Spans) -> None:
    house = open_house(ScriptedEngine(error=RuntimeError("ann lives in Delft")))
    assert house.client.post("/v1/recommend", json={"user_id": "ann"}).status_code == 500
    for name in ("rank", "POST /v1/recommend"):
        assert not spans.one(name).status.is_ok
    assert (spans.one("rank").attributes or {})["error.type"] == "RuntimeError"
    assert "Delft" not in "".join(span.to_json() for span in spans.all())


def test_spans_name_nobody_and_nothing(house: House, spans: Spans) -> None:
    asked = {"user_id": "ann", "n": 3, "instruction": "a secret wish", "context": {"place": "Delft"}}
    answer = house.client.post("/v1/recommend", json=asked).json()
    house.client.get("/v1/users/missing-person")
    house.client.post("/v1/explain", json={"user_id": "ann", "item_id": "mocha"})
    text = "".join(span.to_json() for span in spans.all())
    said = [item[field] for item in answer["items"] for field in ("item_id", "title")]
    said += [item["reason"]["text"] for item in answer["items"]]
    for word in ("ann", "secret wish", "Delft", "missing-person", "mocha", house.secret, *said):
        assert f'"{word}"' not in text, word
        assert f"/{word}" not in text, word
    assert "secret" not in text


def test_those_who_ask_how_the_service_is_leave_no_span(house: House, spans: Spans) -> None:
    for path in ("/health/live", "/health/ready", "/metrics", "/nothing"):
        assert house.client.get(path, headers=TRACEPARENT).headers["x-trace-id"] == TRACE
    assert not spans.all()


def test_one_reason_has_its_steps_too(house: House, spans: Spans) -> None:
    house.client.post("/v1/explain", json={"user_id": "ann", "item_id": "mocha"})
    whole = spans.one("POST /v1/explain")
    assert all(_inside(spans.one(step), whole) for step in ("retrieve", "explain"))
    assert _inside(spans.one("check"), spans.one("explain"))


def test_requests_at_once_do_not_mix(open_house: Open, spans: Spans) -> None:
    house = open_house(_Slow(rank_s=0.1, reason_s=0.1))
    traces = [f"{number:032x}" for number in range(1, 7)]

    def ask(port: int, trace: str) -> Any:
        body = {"user_id": "ann", "n": 2, "stream": int(trace, 16) % 2 == 0, "instruction": f"tea number {trace}"}
        headers = {"traceparent": f"00-{trace}-{CALLER}-01", **bearer(house.secret)}
        return httpx.post(f"http://127.0.0.1:{port}/v1/recommend", json=body, headers=headers, timeout=20)

    with _serving(house) as port, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda trace: ask(port, trace), traces))
        _until(lambda: len(spans.named("POST /v1/recommend")) == 6)
    assert [answer.headers["x-trace-id"] for answer in answers] == traces
    for trace in traces:
        mine = [span for span in spans.all() if _id(span) == trace]
        assert sorted(span.name for span in mine) == sorted(["POST /v1/recommend", *STEPS, "check", "check"])


def test_the_rows_of_a_batch_share_a_trace(house: House, spans: Spans) -> None:
    rows = [{"user_id": "ann", "n": 2}, {"user_id": "bob", "n": 2}]
    house.client.post("/v1/recommend/batch", json={"requests": rows}, headers=TRACEPARENT)
    whole = spans.one("POST /v1/recommend/batch")
    assert len(spans.named("rank")) == 2
    assert all(_inside(span, whole) for span in spans.named(*STEPS))


def test_what_a_tool_does_is_part_of_its_trace(house: House, spans: Spans) -> None:
    asked = {"name": "recommend", "arguments": {"user_id": "ann", "n": 2}}
    answer = house.client.post(
        "/v1/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked},
        headers={"Accept": "application/json, text/event-stream", **TRACEPARENT},
    )
    assert answer.status_code == 200, answer.text
    whole, inner = spans.one("POST /v1/mcp"), spans.one("POST /v1/recommend")
    assert {_id(span) for span in spans.all()} == {TRACE}
    assert _inside(inner, whole)
    assert all(_inside(spans.one(step), inner) for step in STEPS)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("slow", "begun", "step"), [({"rank_s": 30}, "score", "rank"), ({"reason_s": 30}, "generate", "explain")]
)
def test_spans_end_when_whoever_asked_leaves(
    open_house: Open, spans: Spans, slow: dict[str, float], begun: str, step: str, stream: bool
) -> None:
    engine = _Slow(**slow)
    house = open_house(engine)
    with _serving(house) as port:
        connection = socket.create_connection(("127.0.0.1", port))
        body = json.dumps({"user_id": "ann", "n": 2, "stream": stream})
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.secret}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall((head + body).encode())
        _until(lambda: begun in engine.begun)
        assert not spans.named(step, "POST /v1/recommend")
        connection.close()
        _until(lambda: spans.named(step) and spans.named("POST /v1/recommend"))
    left = spans.one(step)
    assert (left.attributes or {})["error.type"] == "CancelledError"
    assert not left.status.description
    assert left.status.is_unset
    assert _id(left) == _id(spans.one("POST /v1/recommend"))


@pytest.fixture
def seen() -> list[httpx.Request]:
    """What a server of a model was asked."""
    return []


@pytest.fixture
def engine(seen: list[httpx.Request]) -> HttpEngine:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "m", "max_model_len": 1000}]})
        if request.url.path == "/version":
            return httpx.Response(404)
        event = {"choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]}
        return httpx.Response(200, text=f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n")

    return asyncio.run(HttpEngine.connect("http://model", transport=httpx.MockTransport(answer)))


async def _ask_within(engine: HttpEngine, headers: dict[str, str]) -> None:
    with tracing.request_span(headers), tracing.span("explain"):
        await engine.check()


def test_a_server_of_the_model_joins_the_trace(engine: HttpEngine, seen: list[httpx.Request], spans: Spans) -> None:
    asyncio.run(_ask_within(engine, TRACEPARENT))
    parent = format_span_id(spans.one("explain").context.span_id)
    assert seen[-1].headers["traceparent"] == f"00-{TRACE}-{parent}-01"
    assert "traceparent" not in seen[0].headers


def test_the_trace_of_the_caller_goes_through_where_nobody_records(
    engine: HttpEngine, seen: list[httpx.Request]
) -> None:
    asyncio.run(_ask_within(engine, TRACEPARENT))
    assert seen[-1].headers["traceparent"] == TRACEPARENT["traceparent"]
    asyncio.run(_ask_within(engine, {}))
    assert "traceparent" not in seen[-1].headers


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector on this machine: its URL, and what was sent to it."""
    sent: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            sent.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join()
    server.server_close()


EXPORTS = """
from genrec import tracing
from genrec.server.exporting import begin_exporting
begin_exporting("1.2.3")
with tracing.span("retrieve"):
    pass
"""


def _exported(**variables: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", EXPORTS], env=clean | variables, check=True, timeout=60)


def test_spans_reach_a_collector_by_the_end_of_the_process(
    collector: tuple[str, list[ExportTraceServiceRequest]],
) -> None:
    url, sent = collector
    _exported(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    _exported(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_SERVICE_NAME="films")
    found = []
    for request in sent:
        [resource] = request.resource_spans
        about = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        names = [span.name for scope in resource.scope_spans for span in scope.spans]
        found.append((about["service.name"], about["service.version"], names))
    assert found == [("genrec", "1.2.3", ["retrieve"]), ("films", "1.2.3", ["retrieve"])]


def test_nothing_is_sent_without_a_collector(collector: tuple[str, list[ExportTraceServiceRequest]]) -> None:
    _exported()
    _exported(OTEL_EXPORTER_OTLP_ENDPOINT="")
    assert not collector[1]


def test_a_protocol_that_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    place = Place(None, "sqlite:///nowhere/genrec.sqlite", None, "127.0.0.1", 0)
    with pytest.raises(DataError, match=r"is 'grpc': only http/protobuf is spoken \(port 4318"):
        serve(place, None, None, Settings(), 60, io.StringIO(), lambda _: None)


def test_a_missing_exporter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(DataError, match=r"pip install 'genrec\[traces\]'"):
        begin_exporting("1")
