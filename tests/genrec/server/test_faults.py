"""Faults of the model, the database and what is kept of vectors: flagged, within the deadline, nothing lost.

Each has a control: with the guard taken away the same fault is lost, late or dressed as a success, and is seen to be.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import genrec.ranking
from eval.service.house import House as Process
from eval.service.house import Plan, bearer, furnish, opened
from genrec import EngineError, runner
from genrec.deadline import Deadline
from genrec.engine import HttpEngine
from genrec.server import recommending
from genrec.server.settings import Settings
from genrec.testing import FakeEncoder, tiny_store
from retrieval import cache
from tests.genrec.server.conftest import House, Open
from tests.genrec.server.faults import FaultyServer, Mode, serving

_DEADLINE_S = 1.0
_MARGIN_S = 2.0
"""What a busy machine may add; a hung model holds for longer."""


@pytest.fixture
def model() -> Iterator[FaultyServer]:
    server = FaultyServer()
    with serving(server):
        yield server


@pytest.fixture
def asked(model: FaultyServer, open_house: Open) -> House:
    """A service that asks this model over HTTP."""
    engine = runner.run(HttpEngine.connect(model.url))
    return open_house(engine, deadline_s=_DEADLINE_S, settings=Settings(check_s=0.5, keep_check_s=0))


def _flagged(house: House, stage: str, cause: str) -> bool:
    """The fault is said, in time, beside the list that the retriever would give."""
    began = time.monotonic()
    answer = house.list("ann")
    in_time = time.monotonic() - began < _DEADLINE_S + _MARGIN_S
    said = answer["fallback"] or {"stage": None, "cause": ""}
    reasons = [item["reason"] for item in answer["items"]]
    plain = all(reason is None or reason["source"] == "template" for reason in reasons)
    return in_time and plain and said["stage"] == stage and said["cause"].startswith(cause) and len(reasons) == 3


Patch = Callable[[pytest.MonkeyPatch], None]


def _no_deadline(patch: pytest.MonkeyPatch) -> None:
    async def hold(self: Deadline, call: Awaitable[Any]) -> Any:
        return await call

    patch.setattr(Deadline, "hold", hold)


def _no_check_of_numbers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(genrec.ranking, "math", SimpleNamespace(isfinite=lambda _: True, nan=math.nan))


def _no_check_of_ends(patch: pytest.MonkeyPatch) -> None:
    """A stream that ends is taken for one that is complete."""
    read = HttpEngine._stream

    async def trusting(self: HttpEngine, path: str, request: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        try:
            async for event in read(self, path, request):
                yield event
        except EngineError:
            pass
        yield {"choices": [{"delta": {"content": "."}, "finish_reason": "stop"}]}

    patch.setattr(HttpEngine, "_stream", trusting)


def _no_flag(patch: pytest.MonkeyPatch) -> None:
    """A failed model is passed over in silence."""
    patch.setattr("genrec._request.Request._fall_back", lambda *_: None)


FAULTS: list[tuple[Mode, str, str, Patch]] = [
    ("hung", "rank", "EngineTimeout", _no_deadline),
    ("slow", "explain", "EngineTimeout", _no_deadline),
    ("not json", "rank", "EngineError: the engine answered", _no_flag),
    ("not numbers", "rank", "AnswerError", _no_check_of_numbers),
    ("no scores", "rank", "EngineError: the server returned no log-probabilities", _no_flag),
    ("stops in the middle", "explain", "EngineError: the server ended its answer in the middle", _no_check_of_ends),
    ("is cut off", "explain", "EngineError: the engine failed", _no_check_of_ends),
]
_NAMES = [mode for mode, *_ in FAULTS]


@pytest.mark.parametrize(("mode", "stage", "cause"), [fault[:3] for fault in FAULTS], ids=_NAMES)
def test_a_fault_of_the_model_is_flagged_in_time(
    model: FaultyServer, asked: House, mode: Mode, stage: str, cause: str
) -> None:
    assert asked.list("bob")["fallback"] is None  # another one, whose reasons are not those that are kept then
    model.mode = mode
    assert _flagged(asked, stage, cause)
    model.mode = "well"
    assert asked.list("new")["fallback"] is None


@pytest.mark.parametrize(("mode", "stage", "cause", "without"), FAULTS, ids=_NAMES)
def test_without_its_guard_a_fault_of_the_model_goes_through(
    model: FaultyServer,
    asked: House,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
    stage: str,
    cause: str,
    without: Patch,
) -> None:
    model.mode = mode
    without(monkeypatch)
    assert not _flagged(asked, stage, cause)


def test_a_model_that_is_gone_is_flagged_at_once(open_house: Open) -> None:
    server = FaultyServer()
    with serving(server):
        house = open_house(runner.run(HttpEngine.connect(server.url)), deadline_s=_DEADLINE_S)
        assert house.list("bob")["fallback"] is None
    assert _flagged(house, "rank", "EngineError: the engine failed: ConnectError")


def test_a_green_health_page_is_not_believed(model: FaultyServer, asked: House) -> None:
    assert asked.client.get("/health/ready").status_code == 200
    model.mode = "hung"
    assert httpx.get(f"{model.url}/health").is_success
    ready = asked.client.get("/health/ready")
    assert (ready.status_code, ready.json()["parts"]["engine"]) == (503, "TimeoutError")
    model.mode = "well"
    assert asked.client.get("/health/ready").status_code == 200


def test_believing_a_health_page_would_hide_a_hung_model(
    model: FaultyServer, asked: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(self: HttpEngine) -> None:
        (await self._client.get("/health")).raise_for_status()

    monkeypatch.setattr(HttpEngine, "check", check)
    model.mode = "hung"
    assert asked.client.get("/health/ready").status_code == 200


def test_without_the_guard_a_locked_database_would_cost_the_list(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it does not with the guard is shown beside overload."""

    class Other(Exception):
        pass

    monkeypatch.setattr(recommending, "StoreError", Other)
    house.list()
    with _locked(house):
        assert house.client.post("/v1/recommend", json={"user_id": "ann"}).status_code == 503


@contextmanager
def _locked(house: House) -> Iterator[None]:
    with house.database._link.writing():
        yield


@contextmanager
def _full(process: Process, most: int) -> Iterator[None]:
    """No file of the process may grow beyond so many bytes."""
    pid, unlimited = process.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


def _fill_up(folder: Path, *, hasty: bool) -> tuple[set[str], set[str], list[httpx.Response], dict[str, Any]]:
    """Write events until the disk is full, and ask for a list then: what was acknowledged, what is there, what was
    refused, and the list."""
    plan = Plan(f"sqlite:///{folder / 'genrec.sqlite'}", hasty=hasty)
    headers = bearer(furnish(plan.database, tiny_store())["default"])
    acknowledged, refused = set[str](), list[httpx.Response]()
    with opened(plan, folder) as process, httpx.Client(base_url=process.address, headers=headers, timeout=30) as client:
        client.post("/v1/recommend", json={"user_id": "ann"}).raise_for_status()
        with _full(process, 600_000):
            for number in range(60):
                event = {"user_id": "ann", "item_id": "mocha", "type": "view", "event_id": f"e{number}"}
                event |= {"context": {"note": "y" * 3000}}
                answer = client.post(
                    "/v1/events", json={"events": [event | {"event_id": f"e{number}-{n}"} for n in range(20)]}
                )
                if not answer.is_success:
                    refused.append(answer)
                    break
                acknowledged |= {f"e{number}-{n}" for n in range(20)}
            time.sleep(0.5)  # a hasty one writes now
            answer = client.post("/v1/recommend", json={"user_id": "ann"})
        time.sleep(1.1)
        client.post("/v1/events", json={"user_id": "ann", "item_id": "mocha", "type": "view"}).raise_for_status()
        export = client.get("/v1/users/ann/export").raise_for_status().json()
    there = {event["event_id"] for event in export["events"] if event["event_id"]}
    return acknowledged, there, refused, answer.raise_for_status().json()


def test_a_full_disk_refuses_writes_loses_nothing_and_serves_lists(tmp_path: Path) -> None:
    acknowledged, there, refused, answer = _fill_up(tmp_path, hasty=False)
    assert acknowledged
    assert {name for name in there if name.startswith("e") and "-" in name} == acknowledged
    [error] = refused
    assert (error.status_code, error.json()["error"]["code"]) == (503, "store_unavailable")
    assert answer["items"]
    assert any(warning.startswith(recommending.NOT_KEPT) for warning in answer["warnings"])


def test_a_service_that_acknowledges_first_loses_what_a_full_disk_cannot_take(tmp_path: Path) -> None:
    acknowledged, there, _, _ = _fill_up(tmp_path, hasty=True)
    assert acknowledged - there


def _flip_a_vector(tmp_path: Path) -> None:
    """One byte of the vector of an item that is on disk, in the file of vectors."""
    [file] = tmp_path.rglob("vectors.sqlite")
    whole = file.read_bytes()
    [vector] = FakeEncoder().encode([tiny_store().item("black-tea").text()])
    place = whole.index(vector.tobytes()) + vector.itemsize * int(vector.argmax()) + 2
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x7F]) + whole[place + 1 :])


def _lists(open_house: Open) -> list[Any]:
    house = open_house()
    found = house.client.get("/v1/items/green-tea/similar").json()["similar"]
    return [(item["item_id"], round(item["score"], 6)) for item in found]


def test_a_flipped_byte_of_a_vector_changes_no_list(open_house: Open, tmp_path: Path) -> None:
    before = _lists(open_house)
    _flip_a_vector(tmp_path)
    assert _lists(open_house) == before


def test_without_the_seal_a_flipped_byte_changes_lists(
    open_house: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_is_whole", lambda *_: True)
    before = _lists(open_house)
    _flip_a_vector(tmp_path)
    assert _lists(open_house) != before
