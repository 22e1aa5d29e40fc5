"""From a folder to a service that listens, its end by signals, and the commands around it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from eval.service.untrained import stock
from genrec import DataError, Event, Item, User, write_folder
from genrec.cli import app
from genrec.learn.loading import find_model
from genrec.learn.shelf import Shelf
from genrec.server import running
from genrec.server.running import Place, serve
from genrec.server.settings import Settings
from genrec.store.database import Database
from genrec.testing import FakeEncoder, ScriptedEngine, tiny_store
from tests.conftest import GENREC
from tests.genrec.learn.narrow import write_narrow_model
from tests.genrec.server.conftest import bearer, fill

PROGRAM = """
import sys
from genrec import Config
from genrec.server.running import run
from genrec.server.service import Service
from genrec.store.database import Database
from genrec.testing import FakeEncoder, ScriptedEngine

class Engine(ScriptedEngine):
    async def close(self):
        print("engine closed", flush=True)

url, delay, deadline = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
config = Config(model_weight=1.0, explain=False, deadline_s=deadline)
service = Service(Database.open(url), Engine(delay_s=delay), FakeEncoder(), config=config)
run(service, "127.0.0.1", 0, lambda line: print(line, flush=True))
print("ended", flush=True)
"""


@contextmanager
def _process(url: str, delay_s: float, deadline_s: float = 60) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, and where it listens."""
    command = [sys.executable, "-c", PROGRAM, url, str(delay_s), str(deadline_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip().removeprefix("listening on ")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def made(tmp_path: Path, own_cache: Path) -> tuple[str, dict[str, str]]:
    """A database with the tiny store: its URL, and the headers of a key."""
    url = f"sqlite:///{tmp_path / 'genrec.sqlite'}"
    database = Database.open(url)
    fill(database.create_tenant("default"))
    headers = bearer(database.add_key("default", "all", ("read", "write")))
    database.close()
    return url, headers


def _later(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, found


def test_a_signal_lets_what_runs_finish_and_closes_everything(made: tuple[str, dict[str, str]]) -> None:
    url, headers = made
    with _process(url, delay_s=1.0) as (process, address):
        ask = {"url": f"{address}/v1/recommend", "json": {"user_id": "ann"}, "headers": headers, "timeout": 20}
        thread, answers = _later(lambda: httpx.post(**ask))
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(httpx.ConnectError):
            httpx.post(**ask)
        thread.join(10)
        assert answers[0].status_code == 200
        assert answers[0].json()["fallback"] is None
        assert process.wait(10) == 0
        assert process.stdout
        assert process.stdout.read().split("\n")[:2] == ["engine closed", "ended"]


def test_a_second_signal_ends_it_at_once(made: tuple[str, dict[str, str]]) -> None:
    url, headers = made
    with _process(url, delay_s=30) as (process, address):
        thread, answers = _later(
            lambda: httpx.post(f"{address}/v1/recommend", json={"user_id": "ann"}, headers=headers, timeout=20)
        )
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        started = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert time.perf_counter() - started < 10  # the model would take thirty
        thread.join(10)
        assert isinstance(answers[0], httpx.HTTPError) or answers[0].status_code >= 500


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> list[Any]:
    """`serve` up to the point where it would listen; holds the services that it made."""
    services: list[Any] = []

    async def start_engine(*_: object) -> ScriptedEngine:
        return ScriptedEngine()

    monkeypatch.setattr(running, "load_encoder", lambda *_: FakeEncoder())
    monkeypatch.setattr(running, "start_engine", start_engine)
    monkeypatch.setattr(running, "begin_logging", lambda _: None)
    monkeypatch.setattr(running, "run", lambda service, *_: services.append(service))
    return services


def _serve(place: Place) -> str:
    log = io.StringIO()
    serve(place, None, None, Settings(), 60, log, lambda _: None)
    return log.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store, path = tiny_store(), tmp_path / "tea"
    users = [store.user(user_id) for user_id in store.user_ids]
    write_folder(path, {"items": store.items, "users": users, "events": store.events}, pack="shop")
    (path / "weights.json").write_text(json.dumps({"semantic": 0.7}))
    return path


def test_the_first_start_reads_the_folder_and_says_a_key_once(tmp_path: Path, folder: Path, served: list[Any]) -> None:
    place = Place(folder, f"sqlite:///{tmp_path / 'genrec.sqlite'}", None, "127.0.0.1", 0)
    said = _serve(place)
    secret = said.rsplit(" ", 1)[1].strip()
    database = served[0].database
    assert database.find_key(secret).scopes == {"read", "write", "admin"}
    tenant = database.tenant("default")
    assert tenant.pack == "shop"
    assert {item.item_id for item in tenant.items()} == {item.item_id for item in tiny_store().items}
    assert len(tenant.history("ann", 10)) == 1
    database.close()

    write_folder(tmp_path / "other", {"items": [Item(item_id="x", title="X")]})
    place = Place(tmp_path / "other", place.database, None, "127.0.0.1", 0)
    assert _serve(place) == ""  # no second key, and nothing is read over what is there
    assert "x" not in {item.item_id for item in served[1].database.tenant("default").items()}
    served[1].database.close()


def test_a_folder_of_people_makes_a_tenant_of_people(tmp_path: Path, served: list[Any]) -> None:
    records = {
        "items": [Item(item_id=name, title=name) for name in "ab"],
        "users": [User(user_id="a")],
        "events": [Event(user_id="a", item_id="b", type="follow")],
    }
    write_folder(tmp_path / "people", records, people=True)
    _serve(Place(tmp_path / "people", f"sqlite:///{tmp_path / 'genrec.sqlite'}", None, "localhost", 0))
    assert served[0].database.tenant("default").people
    served[0].database.close()


def test_others_are_not_let_in_without_a_key(tmp_path: Path, served: list[Any]) -> None:
    url = f"sqlite:///{tmp_path / 'genrec.sqlite'}"
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.org"):  # noqa: S104
        with pytest.raises(DataError, match="holds no key: make one first"):
            _serve(Place(None, url, None, host, 0))
    database = Database.open(url)
    database.create_tenant("default")
    database.add_key("default", "app", ("read",))
    database.close()
    assert _serve(Place(None, url, None, "0.0.0.0", 0)) == ""  # noqa: S104
    served[0].database.close()


def test_another_pack_than_the_tenants_is_refused(tmp_path: Path, folder: Path, served: list[Any]) -> None:
    url = f"sqlite:///{tmp_path / 'genrec.sqlite'}"
    _serve(Place(folder, url, None, "127.0.0.1", 0))
    served[0].database.close()
    with pytest.raises(DataError, match="'default' has pack 'shop', not 'movies'"):
        _serve(Place(folder, url, "movies", "127.0.0.1", 0))


def test_keys_tenants_and_users_by_command(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        app([*arguments, "--tenant", "films"] if arguments[0] != "tenant" else arguments, standalone_mode=False)
        return capfd.readouterr().out

    made = json.loads(run("tenant", "add", "films", "--pack", "movies", "--json"))
    assert made == {"tenant": "films", "pack": "movies", "people": False}
    key = json.loads(run("key", "add", "app", "--scope", "read", "--json"))
    assert key["scopes"] == ["read"]
    assert [row["name"] for row in json.loads(run("key", "list", "--json"))["keys"]] == ["app"]
    assert key["key"] not in run("key", "list")
    database = Database.open(f"sqlite:///{tmp_path / 'genrec.sqlite'}")
    fill(database.tenant("films"))
    database.close()
    assert json.loads(run("user", "export", "ann"))["events"]
    shelf = Shelf(tmp_path / "adapters")
    saw = stock(shelf, find_model(str(write_narrow_model(tmp_path / "narrow")), lambda _: None), 0, ["ann"])
    erased = json.loads(run("user", "erase", "ann", "--adapters", str(shelf.folder), "--json"))
    assert erased["erased"]["events"] == 1
    assert erased["adapters"] == list(shelf.erased()) == [saw]
    public = json.loads(run("key", "add-public", "window", "--origin", "https://shop.example", "--json"))
    [listed] = [row for row in json.loads(run("key", "list", "--json"))["keys"] if row["name"] == "window"]
    assert (listed["scopes"], listed["origins"]) == ([], ["https://shop.example"])
    assert not {public["key"], public["signing_secret"]} & set(run("key", "list").split())
    for name in ("app", "window"):
        assert json.loads(run("key", "revoke", name, "--json"))["revoked"]
    assert json.loads(run("tenant", "list", "--json"))["tenants"][0]["keys"] == 0


def test_a_refusal_to_start_is_one_line(tmp_path: Path) -> None:
    command = [*GENREC, "serve", "--host", "0.0.0.0"]  # noqa: S104
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "genrec key add" in refused.stderr


def test_other_commands_do_not_wait_for_the_imports_of_the_service() -> None:
    code = "import sys, genrec.cli; print({'fastapi', 'uvicorn', 'sqlalchemy', 'prometheus_client'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
