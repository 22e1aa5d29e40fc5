"""What people see of `<genrec-list>`, in each of its states, and that nothing moves under their eyes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from genrec.engine.base import Chunk, LabelScores, Messages, Sampling
from genrec.errors import EngineError
from genrec.testing import ScriptedEngine
from retrieval import Item
from tests.genrec.server.component.conftest import Show, Site, serving
from tests.genrec.server.conftest import House, Open

_EXAMPLE = (Path(__file__).parents[4] / "docs" / "examples" / "component.html").read_text()
_MOST_SHIFT = 0.02


def test_a_page_of_another_origin_shows_a_list_with_reasons(house: House, show: Show) -> None:
    with serving(house) as port:
        shown = show(house, port, 'n="3"')
        assert shown.state("ready", "error") == "ready", shown.heard
        expected = house.list("ann")
        assert shown.texts("title") == [item["title"] for item in expected["items"]]
        assert shown.texts("reason") == [item["reason"]["text"] for item in expected["items"]]
        assert shown.page.get_by_role("status").text_content() == "3 recommendations"
        assert shown.page.evaluate("window.violations") == []
        assert [name for name, _ in shown.heard] == ["genrec-load"]


def test_the_example_of_the_documentation_works(house: House, show: Show) -> None:
    assert _EXAMPLE.count("\n") == 20
    with serving(house) as port:
        shown = show(house, port, html=_EXAMPLE)
        assert shown.state("ready", "error") == "ready", shown.heard
        assert len(shown.texts("reason")) == 6


def test_without_a_user_the_list_is_of_nobody(house: House, show: Show) -> None:
    with serving(house) as port:
        shown = show(house, port, 'n="2" instruction="tea"', user=None)
        assert shown.state("ready", "error") == "ready", shown.heard
        assert shown.inside("list => list.recommendation.user_id") == "anonymous"


def test_the_page_of_an_origin_that_the_key_does_not_name_reads_nothing(house: House, show: Show) -> None:
    with serving(house) as port:

        def with_foreign_key(page: Page) -> None:
            foreign = house.database.add_public_key("default", "foreign", ["https://shop.example"])
            script = (
                "key => addEventListener('DOMContentLoaded', () => document.querySelector('genrec-list').key = key)"
            )
            page.add_init_script(f"({script})({json.dumps(foreign.key)})")

        shown = show(house, port, prepare=with_foreign_key)
        assert shown.state("ready", "error") == "error"
        assert shown.texts("title") == []


def test_a_model_that_is_away_is_said(open_house: Open, show: Show) -> None:
    house = open_house(ScriptedEngine(error=EngineError("down")))
    with serving(house) as port:
        shown = show(house, port, 'n="3"', viewport={"width": 320, "height": 800})
        assert shown.state("ready", "degraded", "error") == "degraded", shown.heard
        assert "The language model did not answer" in str(shown.page.get_by_role("status").text_content())
        assert len(shown.texts("title")) == 3
        assert all(shown.texts("reason"))
        assert shown.shift < _MOST_SHIFT


def test_a_service_that_is_away_is_said_and_asked_again(house: House, show: Show) -> None:
    with serving(house) as port:
        shown = show(house, port, 'n="3"')
        shown.state("ready")
    shown.inside("list => list.reload()")
    assert shown.state("ready", "error") == "error"
    again = shown.page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    with serving(house, port):
        again.click()
        assert shown.state("ready", "error") == "ready", shown.heard
        expect(again).to_be_hidden()
        assert len(shown.texts("title")) == 3


def test_an_empty_catalogue_is_said(open_house: Open, show: Show) -> None:
    house = open_house(empty=True)
    with serving(house) as port:
        shown = show(house, port, user=None)
        assert shown.state("ready", "empty", "error") == "empty"
        assert shown.page.get_by_role("status").text_content() == "There is nothing to recommend yet."
        assert shown.shift < _MOST_SHIFT


class _Held(ScriptedEngine):
    """An engine that ranks and gives reasons when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_rank, self.may_explain = threading.Event(), threading.Event()

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None
    ) -> LabelScores:
        await _told(self.may_rank)
        return await super().score_labels(messages, labels, cache_salt=cache_salt)

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        await _told(self.may_explain)
        async for chunk in super().generate(messages, sampling):
            yield chunk


async def _told(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.01)


_PLACES = """list => [...list.shadowRoot.querySelectorAll(".item, .reason, .buttons")].map((each) => {
  const { x, y, width, height } = each.getBoundingClientRect();
  return [x, y, width, height].map(Math.round);
})"""


@pytest.mark.parametrize("width", [1000, 320])
def test_nothing_moves_while_an_answer_grows(open_house: Open, show: Show, width: int) -> None:
    """Layout shift does not see what moves a little inside of a card: so places are compared as well."""
    engine = _Held()
    house = open_house(engine)
    house.tenant.put_items([Item(item_id="mocha", title="Mocha " + "with a long name " * 20)])
    with serving(house) as port:
        shown = show(house, port, 'n="5" feedback', viewport={"width": width, "height": 800})
        shown.state("loading")
        places = [shown.inside(_PLACES)]
        engine.may_rank.set()
        shown.page.wait_for_function("() => document.querySelector('genrec-list').recommendation?.items.length === 5")
        assert shown.inside("list => list.state") == "loading"
        assert shown.texts("reason") == [""] * 5
        assert shown.page.get_by_role("status").text_content() == "Reasons are on their way…"
        places.append(shown.inside(_PLACES))
        engine.may_explain.set()
        shown.state("ready")
        assert all(shown.texts("reason"))
        places.append(shown.inside(_PLACES))
        assert places[0] == places[1] == places[2]
        assert shown.shift < _MOST_SHIFT


@pytest.mark.parametrize("n", [200])
def test_many_items_are_all_there_and_do_not_move_when_scrolled(open_house: Open, show: Show, n: int) -> None:
    house = open_house()
    house.tenant.put_items([Item(item_id=f"cup-{i}", title=f"Cup {i} " + "of tea " * (i % 9)) for i in range(220)])
    with serving(house) as port:
        shown = show(house, port, f'n="{n}"')
        assert shown.state("ready", "error") == "ready", shown.heard
        assert len(shown.texts("title")) == n
        last = "[...list.shadowRoot.querySelectorAll('.title')].at(-1)"
        assert not shown.inside(f"list => {last}.checkVisibility({{ contentVisibilityAuto: true }})")
        for _ in range(40):
            shown.page.mouse.wheel(0, 500)
        shown.page.wait_for_timeout(200)
        assert shown.page.evaluate("scrollY") > 10_000
        assert shown.shift < _MOST_SHIFT


def test_keys_reach_everything(house: House, show: Show) -> None:
    with serving(house) as port:
        shown = show(house, port, 'n="1" href="/product/{item_id}" feedback')
        shown.state("ready")
        keyboard = shown.page.keyboard
        keyboard.press("Tab")
        expect(shown.page.locator("genrec-list a")).to_be_focused()
        keyboard.press("Tab")
        why = shown.page.get_by_role("button", name="Why this?")
        expect(why).to_be_focused()
        expect(why).to_have_attribute("aria-expanded", "false")
        keyboard.press("Enter")
        expect(why).to_have_attribute("aria-expanded", "true")
        expect(shown.page.locator("genrec-list .evidence li").first).to_be_visible()
        keyboard.press("Tab")
        keyboard.press("Tab")
        keyboard.press("Space")
        expect(shown.page.get_by_role("button", name="Not for me")).to_have_attribute("aria-pressed", "true")
        name, detail = shown.heard[-1]
        assert (name, detail["verdict"], detail["pressed"]) == ("genrec-feedback", "dismiss", True)
        assert detail["recommendationId"] == shown.inside("list => list.recommendation.id")


def test_the_page_decides_what_a_chosen_item_does(house: House, show: Show, site: Site) -> None:
    with serving(house) as port:
        shown = show(house, port, 'n="1" href="/product/{item_id}"')
        shown.state("ready")
        link = shown.page.locator("genrec-list a")
        shown.page.evaluate("addEventListener('genrec-select', (event) => event.preventDefault(), { once: true })")
        link.click()
        assert shown.page.url == site.origin + "/"
        [item] = shown.inside("list => list.recommendation.items")
        assert shown.heard[-1][1]["item"]["item_id"] == item["item_id"]
        link.click()
        shown.page.wait_for_url(f"{site.origin}/product/{item['item_id']}")


def test_attributes_are_what_is_asked_for(house: House, show: Show) -> None:
    asked: list[Any] = []
    with serving(house) as port:

        def listen(page: Page) -> None:
            page.on("request", lambda request: request.method == "POST" and asked.append(request.post_data_json))

        shown = show(house, port, 'n="2" context-place="Delft" context-weather="rain"', prepare=listen)
        shown.state("ready")
        shown.inside("list => { list.instruction = 'black tea'; list.n = 3; list.language = 'zh-CN' }")
        expect(shown.page.get_by_role("status")).to_have_text("3 条推荐")
        expect(shown.page.get_by_role("region", name="为你推荐")).to_be_visible()
        assert "因为" in shown.texts("reason")[0]
    shared = {"user_id": "ann", "profiling": True, "stream": True, "context": {"place": "Delft", "weather": "rain"}}
    assert asked == [
        {**shared, "n": 2, "instruction": "", "language": "en"},
        {**shared, "n": 3, "instruction": "black tea", "language": "zh"},
    ]


def test_nothing_is_animated_for_those_who_want_less_motion(house: House, show: Show) -> None:
    moving = {}
    with serving(house) as port:
        for wish in ("no-preference", "reduce"):
            waiting = show(
                house, port, prepare=lambda page: page.route("**/v1/recommend", lambda _: None), reduced_motion=wish
            )
            waiting.state("loading")
            moving[wish] = waiting.inside("list => list.shadowRoot.getAnimations().length")
            waiting.page.unroute_all(behavior="ignoreErrors")
    assert moving["no-preference"] > 0
    assert moving["reduce"] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["loading", "ready", "degraded", "error"])
def test_axe_finds_nothing_serious(open_house: Open, show: Show, state: str, scheme: Any) -> None:
    house = open_house(ScriptedEngine(error=EngineError("down") if state == "degraded" else None))

    def hinder(page: Page) -> None:
        if state == "loading":
            page.route("**/v1/recommend", lambda _: None)
        if state == "error":
            page.route("**/v1/recommend", lambda route: route.abort())

    with serving(house) as port:
        shown = show(
            house,
            port,
            'n="3" feedback href="/product/{item_id}"',
            prepare=hinder,
            color_scheme=scheme,
            bypass_csp=True,
        )
        shown.state(state)
        if state == "ready":
            shown.page.get_by_role("button", name="Why this?").first.click()
        found = Axe().run(shown.page, options={}).response
        serious = [each for each in found["violations"] if each["impact"] in {"serious", "critical"}]
        assert serious == [], json.dumps(serious, indent=1)
        [contrast] = [each["nodes"] for each in found["passes"] if each["id"] == "color-contrast"]
        assert any("genrec-list" in node["target"][0] for node in contrast), "axe did not look into the element"
        shown.page.unroute_all(behavior="ignoreErrors")


def test_the_final_order_takes_the_place_of_a_provisional_one(house: House, show: Show) -> None:
    first, second = _item("a", 1), _item("b", 2)
    stream = [
        ("meta", {"id": "r", "user_id": "ann", "provisional": True, "items": [first, second]}),
        ("order", {"items": [second, first]}),
        ("item", {**first, "reason": {"text": "First.", "source": "llm"}}),
        ("item", {**second, "reason": {"text": "Second.", "source": "llm"}}),
        ("done", {"fallback": None, "warnings": []}),
    ]
    with serving(house) as port:
        shown = show(house, port, 'n="2"', prepare=answering(stream))
        assert shown.state("ready", "error") == "ready", shown.heard
        assert shown.texts("reason") == ["Second.", "First."]
        assert shown.shift < _MOST_SHIFT


@pytest.mark.parametrize("end", [[], [("error", {"error": {"code": "internal", "message": "no"}})]])
def test_an_answer_that_breaks_off_keeps_what_came(
    house: House, show: Show, end: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    first, second = _item("a", 1), _item("b", 2)
    stream = [
        ("meta", {"id": "r", "user_id": "ann", "items": [first, second]}),
        ("item", {**first, "reason": {"text": "Came.", "source": "llm"}}),
        *end,
    ]
    with serving(house) as port:
        shown = show(house, port, 'n="2"', prepare=answering(stream))
        assert shown.state("ready", "cut", "error") == "cut"
        assert shown.texts("reason") == ["Came.", "No reason was given."]
        expect(shown.page.get_by_role("button", name="Try again")).to_be_visible()


def answering(stream: Sequence[tuple[str, Mapping[str, Any]]]) -> Callable[[Page], None]:
    """Lets a page get these events in the place of what the service would say, as the service writes them."""
    body = "".join(f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n" for name, data in stream)

    def prepare(page: Page) -> None:
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream"}
        page.route("**/v1/recommend", lambda route: route.fulfill(body=body, headers=headers))

    return prepare


def _item(item_id: str, rank: int) -> dict[str, Any]:
    return {"item_id": item_id, "title": f"Title {item_id}", "rank": rank, "source": "llm", "evidence": []}
