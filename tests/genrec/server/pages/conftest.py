"""A real browser on a real service: uvicorn, a database, a scripted engine and words instead of a sentence encoder."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from genrec.server.app import create_app
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, build

expect.set_options(timeout=15_000)  # a machine may be busy


@dataclass
class Seen:
    """A page, and what a browser complains about: broken policies, errors of scripts, requests to elsewhere."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(f"console: {said.text}"))
        self.page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.complaints.append(f"request: {request.url}")

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)


@dataclass
class Site:
    """A service that listens, and browsers that are signed in."""

    house: House
    address: str
    browser: Browser
    opened: ExitStack

    def signed_out(self, **settings: Any) -> Seen:
        """A page of a browser that knows nothing: `locale="zh-CN"`, `viewport={...}`, `color_scheme="dark"`."""
        context: BrowserContext = self.browser.new_context(**settings)
        self.opened.callback(context.close)
        context.set_default_timeout(15_000)
        return Seen(context.new_page(), self.address)

    def sign_in(self, secret: str = "", **settings: Any) -> Seen:
        """A page of somebody who has signed in."""
        seen = self.signed_out(**settings)
        seen.go("/pages/sign-in")
        seen.page.locator("#key").fill(secret or self.house.secret)
        seen.page.locator("button.primary").click()
        seen.page.wait_for_url("**/pages/recommendations")
        return seen


OpenSite = Callable[..., Site]
on_both_databases = pytest.mark.parametrize("database", ["sqlite", "postgresql"])


@pytest.fixture
def database() -> str:
    """What a service keeps its data in, where a test does not choose."""
    return "sqlite"


@pytest.fixture
def open_site(
    browser: Browser, tmp_path: Path, own_cache: Path, database: str, request: pytest.FixtureRequest
) -> Iterator[OpenSite]:
    """Makes services that listen: `open_site(ScriptedEngine(...), deadline_s=1)`; on PostgreSQL only one."""
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
    with sites(browser, tmp_path, url) as make:
        yield make


@contextmanager
def sites(browser: Browser, folder: Path, url: str = "") -> Iterator[OpenSite]:
    """Makes services that listen, each with a database of its own in a folder, or one with that of a URL."""
    with ExitStack() as opened:
        count = iter(range(100))

        def make(engine: ScriptedEngine | None = None, **more: Any) -> Site:
            house = build(folder / f"{next(count)}.sqlite", engine, url=url, **more)
            address = opened.enter_context(serving(house))
            return Site(house, address, browser, opened)

        yield make


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    return open_site()


@contextmanager
def serving(house: House) -> Iterator[str]:
    """The app on a real uvicorn: its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(house.service, "test"), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        end = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < end, "the service does not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
