"""The recommendations page in a real browser: how soon the retriever's order is there, and how much moves after it.

The service runs in a process of its own on demo data, with the real sentence encoder. The engine is scripted and slow:
ranking takes a second, and reasons, which say what an item is, come one after the other. So what is measured is genrec,
not the speed of a model.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from pydantic import BaseModel

from eval.method import Status
from genrec.config import Config
from genrec.engine import DEFAULT_ENCODER, Tokens, default_model, resolve
from genrec.engine.base import Chunk, LabelScores, Messages, Sampling
from genrec.errors import DataError
from genrec.parts import load_encoder
from genrec.server.logs import begin_logging
from genrec.server.running import run
from genrec.server.service import Service
from genrec.store import Store, folder_pack, read_folder
from genrec.store.database import Database
from genrec.testing import ScriptedEngine
from retrieval import Item

_RANK_S, _REASON_S = 1.0, 0.3
_CARDS = 5
_LONGEST_MS = 60_000
_COLOURS = 256
_SETTLED_MS = 1_000
_LISTENS = "listening on "
_DESKTOP, _PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_STUDIO = {"width": 1440, "height": 900}
_KEEPER = "You keep a small shop, warm and never pushy."
_WATCH = """() => {
  window.seen = { first: null, reasons: [], shift: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
  }).observe({ type: "layout-shift" });
  document.querySelector("#ask").addEventListener("submit", () => (seen.asked = performance.now()), { capture: true });
  new MutationObserver(() => {
    const now = performance.now() - seen.asked;
    if (document.querySelector(".card h2") && seen.first === null) seen.first = now;
    const reasons = document.querySelectorAll(".reason p").length;
    if (reasons > seen.reasons.length) seen.reasons.push(now);
  }).observe(document.querySelector("#cards"), { childList: true, subtree: true });
}"""


class PagesReport(BaseModel):
    """`first_ms`: from the request until the first card, in the browser. `shift`: the largest of all lists.

    `steps`: how many lists brought their reasons one by one.
    """

    browser: str
    lists: int
    first_ms_p50: float
    first_ms_max: float
    shift: float
    steps: int


@dataclass(frozen=True)
class Running:
    """A service that listens, and the secret of a key."""

    address: str
    secret: str


class Describing(ScriptedEngine):
    """Ranks after a second, and says of each item what its description says, one after the other.

    The order follows from the letters, and is another one where the system text is: so two versions can be told apart.
    Tokens are counted as the model does in whose place it stands.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(scores=lambda label: -float(ord(label) * 7 % 11))
        self._otherwise = ScriptedEngine(scores=lambda label: -float(ord(label) * 7 % 13))
        self._about = {item.title: _what(item) for item in store.items}
        self._in_turn = asyncio.Lock()
        self._tokens = Tokens(resolve(default_model(), lambda _: None))

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None
    ) -> LabelScores:
        await asyncio.sleep(_RANK_S)
        if _KEEPER in messages[0]["content"]:
            return await self._otherwise.score_labels(messages, labels, cache_salt=cache_salt)
        return await super().score_labels(messages, labels, cache_salt=cache_salt)

    async def count_tokens(self, messages: Messages) -> int:
        return self._tokens.of(messages)

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        async with self._in_turn:
            await asyncio.sleep(_REASON_S)
        begun = messages[-1]["content"].rpartition("you may like ")[2]
        about = next((text for title, text in self._about.items() if begun.startswith(f"{title},")), "")
        words = about.split()[: sampling.max_tokens]
        yield Chunk(f" {' '.join(words)}" if words else ".")
        yield Chunk("", "stop", self._usage(messages, len(words)))


def _what(item: Item) -> str:
    """What goes on after `which is`."""
    text = item.description
    return f"{text[0].lower()}{text[1:]}" if text.startswith(("A ", "An ")) else f"in {' and '.join(item.categories)}."


def measure(data: Path, folder: Path, status: Status) -> PagesReport:
    """Ask once for each user of a data folder. Raises DataError where no browser is installed."""
    store = read_folder(data)
    first, shift, steps = [], 0.0, 0
    with _serving(data, store, folder, status) as running, _browser() as browser:
        page = _signed_in(browser, running, viewport=_DESKTOP)
        for number, user_id in enumerate(store.user_ids, start=1):
            status(f"list {number} of {len(store.user_ids)}")
            found = _ask(page, running, user_id)
            first.append(found["first"])
            shift = max(shift, found["shift"])
            steps += len(found["reasons"]) == _CARDS
        version = browser.version
    return PagesReport(
        browser=f"Chromium {version}",
        lists=len(first),
        first_ms_p50=round(median(first), 1),
        first_ms_max=round(max(first), 1),
        shift=round(shift, 4),
        steps=steps,
    )


def photograph(data: Path, folder: Path, images: Path, status: Status) -> list[Path]:
    """Pictures of the pages of the founding example: wide and narrow, light and dark, English and Chinese."""
    images.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []

    def keep(page: Page, name: str, *, whole: bool = False) -> None:
        taken.append(images / f"{name}.png")
        save_picture(page.screenshot(full_page=whole), taken[-1])

    with _serving(data, read_folder(data), folder, status) as running, _browser() as browser:
        for locale, language in (("en-GB", "en"), ("zh-CN", "zh")):
            for scheme in ("light", "dark"):
                for size, name in ((_DESKTOP, "desktop"), (_PHONE, "phone")):
                    status(f"{name}, {scheme}, {language}")
                    page = _signed_in(browser, running, viewport=size, color_scheme=scheme, locale=locale)
                    _example(page, running)
                    page.wait_for_timeout(_SETTLED_MS)
                    keep(page, f"recommendations-{name}-{scheme}-{language}", whole=name == "phone")
                    page.locator("a.why").first.click()
                    page.locator(".influences").first.wait_for()
                    keep(page, f"why-{name}-{scheme}-{language}", whole=True)
                    page.context.close()
        _tour(browser, running, keep)
        _of_prompts(browser, running, keep)
    return taken


def save_picture(picture: bytes, path: Path) -> None:
    """With as many colours as a palette holds: less than half of the size, and nothing is seen of it."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(_COLOURS).save(path, optimize=True)


def _of_prompts(browser: Browser, running: Running, keep: Any) -> None:
    """The steps of `docs/tour.md` in the prompt studio, and the figures that its lists leave."""
    page = _signed_in(browser, running, viewport=_STUDIO, locale="en-GB")
    _edit(page, running, _KEEPER)
    page.get_by_role("button", name="Run the tests").click()
    page.locator("#tests p").wait_for(timeout=_LONGEST_MS)
    keep(page, "studio-edit")
    stale = _signed_in(browser, running, viewport=_STUDIO, locale="en-GB")
    _edit(stale, running, "You are a shop assistant. Be short.")
    page.get_by_role("button", name="Keep as a version").click()
    page.locator(".loaded .diff").first.wait_for(timeout=_LONGEST_MS)
    page.locator("#changes").scroll_into_view_if_needed()
    keep(page, "studio-kept", whole=True)
    stale.get_by_role("button", name="Keep as a version").click()
    stale.locator("#beside details").wait_for(timeout=_LONGEST_MS)
    keep(stale, "studio-stale")
    page.get_by_role("link", name="Compare both with the model").click()
    page.locator(".sides").nth(2).wait_for(timeout=_LONGEST_MS)
    page.get_by_role("button", name="Ask for a verdict").click()
    page.locator("#trial .note").wait_for(timeout=_LONGEST_MS)
    page.locator(".diff").first.wait_for(timeout=_LONGEST_MS)
    keep(page, "studio-compare")
    page.goto(f"{running.address}/pages/quality")
    keep(page, "quality-desktop-light-en", whole=True)
    phone = _signed_in(browser, running, viewport=_PHONE, color_scheme="dark", locale="zh-CN")
    for path, name, ready in (("prompts", "studio", "#tried pre"), ("quality", "quality", ".tile")):
        phone.goto(f"{running.address}/pages/{path}")
        phone.locator(ready).first.wait_for(timeout=_LONGEST_MS)
        phone.wait_for_timeout(_SETTLED_MS)
        keep(phone, f"{name}-phone-dark-zh", whole=True)


def _edit(page: Page, running: Running, text: str) -> None:
    """Begin the system text anew by some words, and wait for what that makes."""
    page.goto(f"{running.address}/pages/prompts")
    area = page.locator("textarea[name='file/_system.j2']")
    area.fill(area.input_value().replace("You are a shop assistant.", text, 1))
    page.locator("#tried .message", has_text=text).wait_for(timeout=_LONGEST_MS)
    page.locator("#findings", has_text="Lint finds nothing wrong.").wait_for(timeout=_LONGEST_MS)


def _tour(browser: Browser, running: Running, keep: Any) -> None:
    """The steps of `docs/tour.md`."""
    page = _signed_in(browser, running, viewport=_DESKTOP, locale="en-GB")
    _example(page, running, "something for my desk", wait=False)
    page.locator(".reason p").nth(1).wait_for()
    keep(page, "tour-growing")
    _ended(page)
    page.locator(".chip", has_text="favorited").first.click()
    keep(page, "tour-evidence")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Not interested").first.click()
    page.locator(".dismissed").wait_for()
    keep(page, "tour-dismissed")
    page.get_by_role("button", name="Show the next list").click()
    page.get_by_text("since your feedback").wait_for()
    page.wait_for_timeout(_SETTLED_MS)
    keep(page, "tour-effect")
    page.context.close()


def _example(page: Page, running: Running, instruction: str = "", *, wait: bool = True) -> None:
    asked = {"user_id": "1001", "place": "Beijing", "device": "PC", "time": "2023-08-05", "n": _CARDS}
    page.goto(f"{running.address}/pages/recommendations?{urlencode({**asked, 'instruction': instruction})}")
    if wait:
        _ended(page)


def _ended(page: Page) -> None:
    page.locator("#outcome > *").first.wait_for(timeout=_LONGEST_MS)


def _ask(page: Page, running: Running, user_id: str) -> dict[str, Any]:
    """A list for a user: when what came, in milliseconds since it was asked for, and how much moved."""
    page.goto(f"{running.address}/pages/recommendations")
    page.locator("#user_id").fill(user_id)
    page.locator("#n").fill(str(_CARDS))
    page.evaluate(_WATCH)
    page.locator("#ask button.primary").click()
    _ended(page)
    found: dict[str, Any] = page.evaluate("() => seen")
    return found


def _signed_in(browser: Browser, running: Running, **settings: Any) -> Page:
    page = browser.new_context(**settings).new_page()
    page.goto(f"{running.address}/pages/sign-in")
    page.locator("#key").fill(running.secret)
    page.locator("button.primary").click()
    page.wait_for_url("**/pages/recommendations")
    return page


@contextmanager
def _browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise DataError("no chromium is installed: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def _serving(data: Path, store: Store, folder: Path, status: Status) -> Iterator[Running]:
    """The service in a process of its own. Raises RuntimeError where it does not start."""
    secret = _furnish(data, store, folder)
    status("loading the sentence encoder")
    command = [sys.executable, "-m", "eval.service.pages", str(data), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.startswith(_LISTENS):
                raise RuntimeError(f"the service did not start: it said {said!r}")
            yield Running(said.removeprefix(_LISTENS).strip(), secret)
        finally:
            process.terminate()


def _furnish(data: Path, store: Store, folder: Path) -> str:
    """A database with the data: the secret of a key."""
    database = Database.open(_url(folder))
    try:
        tenant = database.create_tenant("default", pack=folder_pack(data) or "general")
        tenant.fill(store.items, [store.user(user_id) for user_id in store.user_ids], store.events)
        return database.add_key("default", "pages", ("read", "write", "admin"))
    finally:
        database.close()


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'genrec.sqlite'}"


def _serve(data: Path, folder: Path) -> None:
    begin_logging(sys.stderr)
    encoder = load_encoder(DEFAULT_ENCODER, lambda _: None)
    engine = Describing(read_folder(data))
    service = Service(Database.open(_url(folder)), engine, encoder, config=Config(model_weight=0.5))
    run(service, "127.0.0.1", 0, lambda line: print(line, flush=True))  # noqa: T201


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]))
