"""Pictures of `<genrec-list>` for the documentation: `python -m tests.genrec.server.component.pictures FOLDER`.

The demo shop is served with a scripted engine, so that the pictures need no model: reasons cite the first evidence.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Route, sync_playwright

from eval.service.pages import save_picture
from genrec import Config
from genrec.errors import EngineError
from genrec.server.app import create_app
from genrec.server.service import Service
from genrec.store import read_folder
from genrec.store.database import Database
from genrec.testing import FakeEncoder, ScriptedEngine
from tests.genrec.server.component.conftest import Site, serving, token
from tests.genrec.server.conftest import House

_SHOP = Path(__file__).parents[4] / "prompts" / "shop" / "demo"
_MARGINS = "body { margin: 1.5rem; background: light-dark(#f6f7f9, #111418) } :root { color-scheme: light dark }"
_DESK = {"width": 1080, "height": 820}
_PHONE = {"width": 390, "height": 780}
_SHOTS = {
    "component-light": (_DESK, "light", "en", "ready", None),
    "component-dark": (_DESK, "dark", "en", "ready", None),
    "component-phone": (_PHONE, "light", "en", "ready", None),
    "component-zh": (_DESK, "light", "zh", "ready", None),
    "component-loading": (_DESK, "light", "en", "loading", None),
    "component-degraded": (_DESK, "light", "en", "degraded", EngineError("down")),
    "component-error": (_DESK, "light", "en", "error", None),
}


def main(folder: Path) -> None:
    """Take them all."""
    with TemporaryDirectory() as work, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (viewport, scheme, language, state, error) in _SHOTS.items():
            house = _shop(Path(work) / f"{name}.sqlite", ScriptedEngine(error=error))
            with house.client, serving(house) as port:
                _shoot(browser, house, port, folder / f"{name}.png", viewport, scheme, language, state)
        browser.close()


def _shoot(
    browser: Browser, house: House, port: int, path: Path, viewport: object, scheme: str, language: str, state: str
) -> None:
    site = Site()
    key = house.database.add_public_key("default", "shop-window", [site.origin])
    signed = "x" if state == "error" else token(key, "1001")
    site.policy = "frame-ancestors 'none'"
    site.html = (
        f'<!doctype html><html lang="{language}"><meta name="viewport" content="width=device-width">'
        f'<style>{_MARGINS}</style><genrec-list src="http://127.0.0.1:{port}" key="{key.key}" user="1001" '
        f'user-token="{signed}" n="6" context-place="Beijing" context-device="PC" context-time="2023-08-05" feedback '
        f'href="/product/{{item_id}}"></genrec-list>'
        f'<script type="module" src="http://127.0.0.1:{port}/component/genrec-list.js"></script>'
    )
    page = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    held: list[Route] = []
    if state == "loading":
        page.route("**/v1/recommend", lambda route: held.append(route))
    page.goto(site.origin)
    page.wait_for_function("(state) => document.querySelector('genrec-list').state === state", arg=state)
    if state in {"ready", "degraded"}:
        page.locator("genrec-list .why").first.click()
    page.mouse.move(0, 0)
    save_picture(page.screenshot(), path)
    for route in held:
        route.abort()
    page.close()
    site.close()


def _shop(path: Path, engine: ScriptedEngine) -> House:
    database = Database.open(f"sqlite:///{path}")
    tenant = database.create_tenant("default", pack="shop")
    store = read_folder(_SHOP)
    tenant.fill(store.items, [store.user(user_id) for user_id in store.user_ids], store.events)
    service = Service(database, engine, FakeEncoder(), config=Config(model_weight=1.0))
    return House(service, database, tenant, TestClient(create_app(service, "pictures")), "", path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
