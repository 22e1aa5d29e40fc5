"""The real app on a real SQLite database, with a scripted engine and words instead of a sentence encoder."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, sync_playwright

from genrec import Config
from genrec.server.adapters import Adapters
from genrec.server.app import create_app
from genrec.server.logs import begin_logging
from genrec.server.service import Service
from genrec.server.settings import Settings
from genrec.store.database import Database, Tenant
from genrec.testing import FakeEncoder, ScriptedEngine, tiny_store

ALL = ("read", "write", "admin")


@dataclass(frozen=True)
class House:
    """A service, its database, and a client with a key for everything."""

    service: Service
    database: Database
    tenant: Tenant
    client: TestClient
    secret: str
    path: Path

    def key(self, *scopes: Any, tenant: str = "default", name: str = "other") -> dict[str, str]:
        """The headers of a new key."""
        return bearer(self.database.add_key(tenant, name, scopes))

    def list(self, user_id: str = "ann", **more: Any) -> dict[str, Any]:
        """A recommendation that has to succeed."""
        answer = self.client.post("/v1/recommend", json={"user_id": user_id, "n": 3, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def fill(tenant: Tenant) -> None:
    """The tiny store."""
    store = tiny_store()
    tenant.put_items(store.items)
    tenant.put_users([store.user(user_id) for user_id in store.user_ids])
    tenant.add_events(store.events)


def break_database(house: House) -> None:
    """Bytes of no database in all its files, in place."""
    for file in house.path.parent.glob(f"{house.path.name}*"):
        file.write_bytes(b"no database " * (file.stat().st_size // 12 + 1000))


Open = Callable[..., House]


def build(
    path: Path,
    engine: ScriptedEngine | None = None,
    *,
    settings: Settings | None = None,
    url: str = "",
    empty: bool = False,
    adapters: Adapters | None = None,
    **config: Any,
) -> House:
    """A service on a new database, in SQLite at `path` where no `url` names one; its client is not open yet."""
    database = Database.open(url or f"sqlite:///{path}", timeout_s=1)
    tenant = database.create_tenant("default")
    if not empty:
        fill(tenant)
    secret = database.add_key("default", "all", ALL)
    service = Service(
        database,
        engine or ScriptedEngine(),
        FakeEncoder(),
        config=Config.model_validate({"model_weight": 1.0, **config}),
        settings=settings,
        adapters=adapters,
    )
    client = TestClient(create_app(service, "test"), headers=bearer(secret), raise_server_exceptions=False)
    return House(service, database, tenant, client, secret, path)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service says of itself."""
    root, stream = logging.getLogger(), io.StringIO()
    kept, level = root.handlers, root.level
    begin_logging(stream)
    yield stream
    root.handlers = kept
    root.setLevel(level)


@pytest.fixture
def open_house(tmp_path: Path, own_cache: Path) -> Iterator[Open]:
    """Makes services: `open_house(ScriptedEngine(...), settings=Settings(queue=0), deadline_s=1)`."""
    with ExitStack() as opened:
        count = iter(range(100))

        def make(engine: ScriptedEngine | None = None, **more: Any) -> House:
            house = build(tmp_path / f"{next(count)}.sqlite", engine, **more)
            opened.enter_context(house.client)
            return house

        yield make


@pytest.fixture
def house(open_house: Open) -> House:
    return open_house()


@pytest.fixture(scope="module")
def standing_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One service for many tests that change nothing."""
    folder = tmp_path_factory.mktemp("standing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENREC_CACHE", str(folder / "cache"))
        house = build(folder / "genrec.sqlite")
        with house.client:
            yield house


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, one for all tests: a second one in the same thread cannot be started."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium is installed: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
