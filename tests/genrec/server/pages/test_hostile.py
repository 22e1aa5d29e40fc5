"""Text that wants to be markup, in every place where a page shows text, and while it streams: it stays text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect

from genrec import EngineError, Event, Item, User
from genrec.engine.base import Chunk, Messages, Sampling
from genrec.server.pages import rendering
from genrec.testing import ScriptedEngine
from genrec.types import Reason
from tests.genrec.server.pages.conftest import OpenSite, Seen, Site, sites
from tests.genrec.server.pages.test_recommendations import ask, ended, titles

PAYLOADS = [json.loads(line) for line in (Path(__file__).parent / "data" / "payloads.jsonl").read_text().splitlines()]
_BATCH = 20
_BENIGN = [f"plain words {number}" for number in range(_BATCH)]
_DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
_OWN = ("/pages/static/", "/pages/recommendations", "/pages/why", "/pages/sign-in")

Meant = set[tuple[str, ...]]
"""Elements by their tag and the names of their attributes."""

_VIOLATIONS = """
  window.violations = [];
  addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
_ELEMENTS = """(root) => [...root.querySelectorAll("*")].map((e) => [e.localName, ...e.getAttributeNames().sort()])"""
_FETCHED = f"""async ([urls, users]) => {{
  const found = [], parse = (html) => new DOMParser().parseFromString(html, "text/html");
  const texts = (value) => (typeof value === "string" ? [value] : Object.values(value ?? {{}}).flatMap(texts));
  for (const url of urls) found.push(...({_ELEMENTS})(parse(await (await fetch(url)).text())));
  for (const user_id of users) {{
    const headers = {{ "HX-Request": "true", "X-CSRF-Token": document.body.dataset.csrf }};
    const body = new URLSearchParams({{ user_id, other: user_id.startsWith("not ") ? user_id : "" }});
    const answer = await fetch("/pages/recommendations/list", {{ method: "POST", headers, body }});
    const lines = (await answer.text()).split("\\n");
    const data = lines.filter((line) => line.startsWith("data: "));
    const html = answer.ok ? data.flatMap((line) => texts(JSON.parse(line.slice(6)))) : [lines.join("\\n")];
    for (const part of html) found.push(...({_ELEMENTS})(parse(part)));
  }}
  return found;
}}"""


class Hostile(ScriptedEngine):
    """Writes the payloads as reasons, one after the other."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self._texts = iter([*texts] * 10)

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        yield Chunk(next(self._texts))
        yield Chunk("", "stop", self._usage(messages, 1))


def _fill(site: Site, texts: Sequence[str]) -> None:
    """A catalogue, a past and users that consist of these texts wherever they can."""
    tenant = site.house.tenant
    known: list[Item] = []
    for number, text in enumerate(texts):
        more = {"description": text, "categories": (text,), "attributes": {text: text}, "title": text}
        known.append(Item(item_id=text, image=_DOT if text in _BENIGN else text, price=1, **more))
        known.append(Item(item_id=f"past {number}", **more))
    tenant.put_items(known)
    tenant.put_users([User(user_id="victim", attributes={text: text for text in texts})])
    tenant.put_users([User(user_id=text, attributes={text: text}) for text in texts])
    tenant.add_events(
        [
            Event(user_id="victim", item_id=f"past {number}", type=text.strip()[:64], context={"place": text})
            for number, text in enumerate(texts)
        ]
    )


def _walk(site: Site, texts: Sequence[str]) -> tuple[Seen, Meant]:
    """Every page and part with these texts in it: the elements that were made of them."""
    _fill(site, texts)
    seen = site.signed_out()
    seen.page.add_init_script(_VIOLATIONS)
    seen.page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
    paths: list[str] = []
    seen.page.on("request", lambda request: paths.append(request.url.removeprefix(site.address)))
    seen.go("/pages/sign-in")
    seen.page.locator("#key").fill(site.house.secret)
    seen.page.locator("button.primary").click()
    seen.page.locator("summary", has_text="Here and now").click()
    ask(seen, "victim", n=_BATCH, instruction=texts[0], place=texts[1])
    ended(seen)
    found = _look(seen)
    assert _texts(seen, ".card h2") == {text.strip().replace("\r\n", "\n") for text in texts}
    assert len(_texts(seen, ".reason bdi")) == _BATCH
    first = titles(seen.page)[0]
    seen.page.locator(".dismiss").first.click()
    seen.page.get_by_role("button", name="Show the next list").click()
    expect(seen.page.locator("#effect")).to_contain_text("since your feedback")
    assert first in seen.page.locator("#effect").inner_text()
    found |= _look(seen)
    links = seen.page.locator("a.why").evaluate_all("all => all.map((e) => e.getAttribute('href'))")
    shown = [f"{link}&with={text}&done={text}" for link, text in zip(links, map(_quoted, texts), strict=False)]
    forms = [
        f"/pages/recommendations?{urlencode({'user_id': f'not {t}', 'place': t, 'instruction': t})}" for t in texts
    ]
    known = [f"/pages/recommendations/known?{urlencode({'user_id': text})}" for text in ("victim", *texts)]
    signing = [f"/pages/sign-in?{urlencode({'next': text, 'lang': text})}" for text in texts]
    asked = [*texts, *(f"not {text}" for text in texts)]
    found |= _set(
        seen.page.evaluate(_FETCHED, [[*links, *shown, *forms, *known, *signing, "/pages/recommendations"], asked])
    )
    for path in (links[0], forms[0]):
        seen.go(path)
        seen.page.wait_for_load_state("networkidle")
        found |= _look(seen)
    strange = [path for path in paths if not path.startswith((*_OWN, "data:", "https:"))]
    assert strange == []
    return seen, found


def _texts(seen: Seen, selector: str) -> set[str]:
    return {text.strip() for text in seen.page.locator(selector).all_text_contents()}


def _quoted(text: str) -> str:
    return urlencode({"x": text})[2:]


def _look(seen: Seen) -> Meant:
    assert seen.page.evaluate("window.pwned") is None
    assert seen.page.evaluate("window.violations") == []
    return _set(seen.page.evaluate(f"() => ({_ELEMENTS})(document)"))


def _set(found: list[list[str]]) -> Meant:
    return {tuple(element) for element in found}


def _let_everything_through(patch: pytest.MonkeyPatch) -> None:
    """As if no reason were checked: what is shown must not hang on that."""
    patch.setattr(
        "genrec._explainer.make_reason", lambda text, *_, **__: (Reason(text=text or "-", source="llm"), None)
    )


@pytest.fixture(scope="module")
def meant(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Meant:
    """What the same way shows where all texts are harmless."""
    folder = tmp_path_factory.mktemp("meant")
    with pytest.MonkeyPatch.context() as patch, sites(browser, folder) as open_site:
        patch.setenv("GENREC_CACHE", str(folder / "cache"))
        _let_everything_through(patch)
        _, found = _walk(open_site(Hostile(_BENIGN), empty=True), _BENIGN)
    return found


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), _BATCH))
def test_text_stays_text(meant: Meant, open_site: OpenSite, monkeypatch: pytest.MonkeyPatch, start: int) -> None:
    texts = PAYLOADS[start : start + _BATCH]
    _let_everything_through(monkeypatch)
    seen, found = _walk(open_site(Hostile(texts), empty=True), texts)
    assert found - meant == set()
    assert [said for said in seen.complaints if not _is_image(said) and "Failed to load resource" not in said] == []


def _is_image(said: str) -> bool:
    """An item may have an image anywhere on the web: asking for it is meant."""
    return said.startswith("request: https://evil.example/%22")


@pytest.mark.parametrize("stage", ["score", "generate"])
def test_what_the_engine_says_of_its_failure_stays_text(open_site: OpenSite, stage: str) -> None:
    seen = open_site(ScriptedEngine(error=EngineError("".join(PAYLOADS)), stage=stage)).sign_in()
    ask(seen)
    ended(seen)
    assert "<script>" in seen.page.locator("#outcome").inner_text()
    assert seen.page.locator("#outcome :not(p, bdi)").count() == 0
    assert seen.complaints == []


def test_without_escaping_the_walk_would_fail(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what the tests above look for is found where it is."""
    monkeypatch.setattr(rendering._templates, "autoescape", False)
    rendering._templates.cache.clear()
    texts = [f"<b onclick=x{number}>bold</b>" for number in range(_BATCH)]
    _let_everything_through(monkeypatch)
    try:
        with pytest.raises(AssertionError, match="script-src-attr inline"):
            _walk(open_site(Hostile(texts), empty=True), texts)
    finally:
        rendering._templates.cache.clear()


def test_there_are_as_many_payloads_as_promised() -> None:
    assert len(set(PAYLOADS)) == 120
