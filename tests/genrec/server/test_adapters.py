"""Adapters are promoted and taken back under a running service. `python -m eval adapter-swaps` asks the real model."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from eval.service import swaps
from eval.service.untrained import promote, stock
from genrec import EngineError
from genrec.engine import LabelScores
from genrec.engine.base import Messages
from genrec.errors import ModelError
from genrec.learn.adapter import MANIFEST, TENSORS
from genrec.learn.loading import find_model
from genrec.learn.shelf import NOTHING, Shelf
from genrec.server.adapters import Adapters
from genrec.testing import ScriptedEngine
from tests.genrec.learn.narrow import write_narrow_model
from tests.genrec.server.conftest import House, bearer, build, fill

_SOON_S = 20


class Adaptable(ScriptedEngine):
    """Takes adapters while it runs, and scores only by those that are there from the beginning to the end."""

    root = "narrow"

    def __init__(self) -> None:
        super().__init__()
        self.there: list[str] = []
        self.most = 0
        self.scored: list[str | None] = []
        self.held: str | None = None
        self.let_go = threading.Event()
        self.refuses = False

    async def load_adapter(self, name: str, folder: Path) -> None:
        if self.refuses:
            raise EngineError("no room")
        assert (folder / TENSORS).exists()
        self.there.append(name)
        self.most = max(self.most, len(self.there))

    async def has_adapter(self, name: str) -> bool:
        return name in self.there

    async def unload_adapter(self, name: str) -> None:
        self.there = [other for other in self.there if other != name]

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None, adapter: str | None = None
    ) -> LabelScores:
        self.scored.append(adapter)
        found = await super().score_labels(messages, labels, cache_salt=cache_salt)
        while adapter and self.held and self.held in adapter and not self.let_go.is_set():
            await asyncio.sleep(0.01)
        if adapter and adapter not in self.there:
            raise EngineError(f"{adapter} is not loaded")
        return found


@dataclass(frozen=True)
class Shop:
    """A service that listens, its shelf of two adapters, of which one saw ann and one saw bob, and who asks it."""

    house: House
    engine: Adaptable
    shelf: Shelf
    first: str
    second: str
    client: httpx.Client

    def list(self, user_id: str = "ann", **more: Any) -> dict[str, Any]:
        """A recommendation that has to succeed."""
        answer = self.client.post("/v1/recommend", json={"user_id": user_id, "n": 3, **more})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def ranks(self) -> str:
        """The adapter that a list names."""
        model: str = self.list()["model"]
        return model.partition("+")[2] or NOTHING

    def ready(self) -> dict[str, Any]:
        """What operators see of the adapter, while the service takes requests."""
        found: dict[str, Any] = self.client.get("/health/ready").raise_for_status().json()["adapter"]
        return found

    def metric(self, name: str) -> str:
        """The value of a metric without labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return next(line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} "))


@contextmanager
def _opened(folder: Path, **config: Any) -> Iterator[Shop]:
    model = find_model(str(write_narrow_model(folder / "narrow")), lambda _: None)
    shelf, engine = Shelf(folder / "adapters"), Adaptable()
    first, second = (stock(shelf, model, seed, [user], 0.25) for seed, user in enumerate(("ann", "bob")))
    adapters = Adapters(shelf, model, engine)
    house = build(folder / "genrec.sqlite", engine, adapters=adapters, explain=False, **config)
    server = uvicorn.Server(uvicorn.Config(house.client.app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _soon(lambda: server.started)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, headers=bearer(house.secret), timeout=_SOON_S) as client:
            yield Shop(house, engine, shelf, first, second, client)
    finally:
        server.should_exit = True
        thread.join()
    assert engine.there == []  # nothing is left in an engine that others may use
    assert engine.closed


@pytest.fixture
def shop(tmp_path: Path, own_cache: Path) -> Iterator[Shop]:
    with _opened(tmp_path, model_weight=None) as found:
        yield found


def _soon(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _SOON_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_in_production_ranks_and_is_named_wherever_its_lists_are(shop: Shop) -> None:
    assert shop.ranks() == NOTHING
    promote(shop.shelf, shop.first)
    _soon(lambda: shop.ranks() == shop.first)
    given = shop.list()
    assert given["fallback"] is None
    assert given["trace"]["model_weight"] == 0.25  # the adapter's own
    assert shop.client.get(f"/v1/recommendations/{given['id']}").json()["model"] == given["model"]
    streamed = shop.client.post("/v1/recommend", json={"user_id": "ann", "n": 2, "stream": True})
    assert f'"model": "{given["model"]}"' in streamed.text.split("\n\n")[0]
    assert shop.client.get("/v1/parameters").json()["model"] == given["model"]
    assert shop.ready() == {"production": shop.first, "ranks": shop.first, "problem": "", "erased": False}

    shop.shelf.rollback()
    _soon(lambda: shop.ranks() == NOTHING)
    assert shop.list()["trace"]["model_weight"] == 0.5  # of a model that nobody measured
    _soon(lambda: shop.engine.there == [])


def test_a_request_ends_with_the_adapter_with_which_it_began(tmp_path: Path, own_cache: Path) -> None:
    """Of its two calls, the second comes long after another adapter has taken the place of its own."""
    with _opened(tmp_path, calibrate=True) as shop, ThreadPoolExecutor(1) as thread:
        promote(shop.shelf, shop.first)
        _soon(lambda: len(shop.engine.there) == 1)
        shop.engine.held, old = shop.first, shop.engine.there[0]
        begun = thread.submit(shop.list)
        try:
            _soon(lambda: old in shop.engine.scored)
            promote(shop.shelf, shop.second)
            _soon(lambda: shop.ready()["ranks"] == shop.second)
            assert shop.ranks() == shop.second
            assert old in shop.engine.there  # it waits for the one that still runs
            shop.shelf.rollback()  # and so does what would be the third
            _soon(lambda: shop.ready()["production"] == shop.first)
            assert shop.ready()["ranks"] == shop.second
        finally:
            shop.engine.let_go.set()
        given = begun.result()
        assert given["model"].endswith(shop.first)
        assert given["fallback"] is None
        assert shop.engine.scored.count(old) == 2
        _soon(lambda: shop.ranks() == shop.first and len(shop.engine.there) == 1)
        assert old not in shop.engine.there
        assert shop.engine.most == 2


def _flip(shop: Shop) -> None:
    path = shop.shelf.folder / shop.second / TENSORS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _refuse(shop: Shop) -> None:
    shop.engine.refuses = True


@pytest.mark.parametrize(
    ("harm", "error", "cause"),
    [(_flip, "ModelError", "its SHA-256 is another"), (_refuse, "EngineError", "no room")],
)
def test_where_one_cannot_be_loaded_the_old_one_ranks_and_everybody_sees_why(
    shop: Shop, log: io.StringIO, harm: Callable[[Shop], None], error: str, cause: str
) -> None:
    promote(shop.shelf, shop.first)
    _soon(lambda: shop.ranks() == shop.first)
    harm(shop)
    promote(shop.shelf, shop.second)
    _soon(lambda: shop.ready()["problem"])
    problem = f"{shop.first} goes on ranking, {shop.second} is in production: {error}, see the log"
    assert shop.ready() == {"production": shop.second, "ranks": shop.first, "problem": problem, "erased": False}
    assert shop.ranks() == shop.first
    assert shop.list()["fallback"] is None
    assert shop.metric("genrec_adapter_behind") == "1.0"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    [said] = [line for line in lines if line["message"] == "the adapter in production does not rank"]
    assert cause in said["cause"]
    assert (said["production"], said["ranks"], said["level"]) == (shop.second, shop.first, "warning")

    shop.shelf.rollback()
    _soon(lambda: shop.ready()["problem"] == "")
    assert shop.metric("genrec_adapter_behind") == "0.0"


def test_an_engine_that_was_started_again_gets_it_again(shop: Shop) -> None:
    promote(shop.shelf, shop.first)
    _soon(lambda: shop.ranks() == shop.first)
    shop.engine.there.clear()
    _soon(lambda: len(shop.engine.there) == 1)
    _soon(lambda: shop.list()["fallback"] is None)
    assert shop.ranks() == shop.first


def test_the_shelf_is_one_tenants(shop: Shop) -> None:
    other = shop.house.database.create_tenant("other")
    fill(other)
    headers = shop.house.key("read", "admin", tenant="other")
    promote(shop.shelf, shop.first)
    _soon(lambda: shop.ranks() == shop.first)
    theirs = shop.client.post("/v1/recommend", json={"user_id": "ann", "n": 2}, headers=headers).json()
    assert theirs["model"] == "scripted"
    assert shop.client.delete("/v1/users/ann", headers=headers).json()["adapters"] == []
    assert shop.shelf.erased() == {}


def test_erasing_a_user_marks_what_saw_them(shop: Shop) -> None:
    promote(shop.shelf, shop.first)
    _soon(lambda: shop.ranks() == shop.first)
    assert shop.client.delete("/v1/users/nobody").json()["adapters"] == []
    erased = shop.client.delete("/v1/users/ann").json()
    assert (erased["users"], erased["adapters"]) == (1, [shop.first])
    assert shop.client.delete("/v1/users/ann").json()["adapters"] == [shop.first]
    assert list(shop.shelf.erased()) == [shop.first]
    _soon(lambda: shop.ready()["erased"])
    assert shop.metric("genrec_adapter_erased") == "1.0"
    assert shop.list("bob")["model"].endswith(shop.first)  # until another is promoted
    promote(shop.shelf, shop.second)
    with pytest.raises(ModelError, match="saw a user who was erased since"):
        shop.shelf.rollback()
    _soon(lambda: not shop.ready()["erased"])


def test_one_that_cannot_say_whom_it_saw_is_marked_too(shop: Shop) -> None:
    (shop.shelf.folder / shop.second / MANIFEST).write_text("{")
    assert shop.client.delete("/v1/users/ann").json()["adapters"] == sorted([shop.first, shop.second])


@pytest.mark.model
@pytest.mark.long
@pytest.mark.parametrize("server", [False, True], ids=["in genrec", "in a vLLM server"])
def test_swaps_under_load_fail_no_request_and_every_answer_names_what_made_it(tmp_path: Path, server: bool) -> None:
    found = swaps.measure(3, tmp_path, lambda _: None, server=server)
    assert list(swaps.sound(found)) == []
    assert found.requests > 3
