"""A real browser on a page of another origin, which asks a real service on a port of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from genrec.server.app import create_app
from genrec.store.database import PublicKey
from tests.genrec.server.conftest import House

_POLICY = (
    "default-src 'none'; script-src {service}; style-src 'self'; connect-src {service}; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""As strict as a page can be: no inline style or script, no markup from text."""
_STYLE = ":root { color-scheme: light dark } body { background: light-dark(#fff, #111); color: light-dark(#000, #fff) }"
_WATCH = """
window.shifts = []; window.violations = []; window.heard = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value);
}).observe({ type: "layout-shift", buffered: true });
addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
for (const name of ["genrec-select", "genrec-feedback", "genrec-load", "genrec-error"])
  addEventListener(name, (event) => window.heard.push([name, event.detail]));
"""


class Site:
    """A shop of somebody else, on an origin of its own."""

    def __init__(self) -> None:
        self.html, self.policy = "", ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, text = ("css", _STYLE) if self.path == "/shop.css" else ("html", site.html)
                self.send_response(200)
                self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
                self.send_header("Content-Security-Policy", site.policy)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@dataclass
class Shown:
    """The component in a page, and what became of it."""

    page: Page
    key: PublicKey
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def state(self, *states: str) -> str:
        """Wait for one of the states."""
        wanted = "(states) => states.includes(document.querySelector('genrec-list').state)"
        self.page.wait_for_function(wanted, arg=list(states), timeout=15_000)
        return self.inside("list => list.state")

    def inside(self, script: str, *given: Any) -> Any:
        """What a function says of the element."""
        return self.page.locator("genrec-list").evaluate(script, *given)

    def texts(self, part: str) -> list[str]:
        found: list[str] = self.page.locator(f"genrec-list .item:not(.blank) .{part}").all_text_contents()
        return found

    @property
    def shift(self) -> float:
        """How much the page moved by itself."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return float(sum(self.page.evaluate("window.shifts")))

    @property
    def heard(self) -> list[Any]:
        found: list[Any] = self.page.evaluate("window.heard")
        return found


Show = Callable[..., Shown]


@pytest.fixture
def show(browser: Browser, site: Site) -> Iterator[Show]:
    """Opens the component on the site: `show(house, port, 'user="ann"', token=True)`."""
    contexts = []

    def open_page(
        house: House,
        port: int,
        attributes: str = "",
        *,
        user: str | None = "ann",
        prepare: Callable[[Page], None] | None = None,
        html: str | None = None,
        **context: Any,
    ) -> Shown:
        service = f"http://127.0.0.1:{port}"
        key = house.database.add_public_key("default", f"page-{len(contexts)}", [site.origin])
        whose = f'user="{user}" user-token="{token(key, user)}"' if user else ""
        site.policy = _POLICY.format(service=service)
        site.html = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>'
            f'<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/shop.css">'
            f'<script type="module" blocking="render" src="{service}/component/genrec-list.js"></script></head>'
            f'<body><main><h1>A shop</h1><genrec-list key="{key.key}" {whose} {attributes}></genrec-list>'
            "<p>What stands below</p></main></body></html>"
        )
        if html:
            site.html, site.policy = html.replace("KEY", key.key).replace("http://127.0.0.1:8000", service), ""
        opened = browser.new_context(**{"viewport": {"width": 1000, "height": 800}, **context})
        contexts.append(opened)
        opened.add_init_script(_WATCH)
        page = opened.new_page()
        shown = Shown(page, key)
        page.on("dialog", lambda dialog: (shown.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: shown.requests.append(request.url))
        if prepare:
            prepare(page)
        page.goto(site.origin)
        return shown

    yield open_page
    for context in contexts:
        context.close()


def token(key: PublicKey, user: str, seconds: int = 600) -> str:
    """As the server of a page makes it."""
    return jwt.encode({"sub": user, "exp": int(time.time()) + seconds}, key.signing_secret, algorithm="HS256")


@contextmanager
def serving(house: House, port: int = 0) -> Iterator[int]:
    """The app on a real uvicorn; its service stays open for the client of the house."""
    listening = socket.create_server(("127.0.0.1", port))
    app = create_app(house.service, "test")
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
