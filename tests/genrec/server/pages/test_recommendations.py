"""The recommendations of a user in a browser: as they grow, where they come from, and what feedback does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from genrec import EngineError
from genrec.engine.base import Chunk, LabelScores, Messages, Sampling
from genrec.testing import ScriptedEngine
from tests.genrec.server.pages.conftest import OpenSite, Seen, Site, on_both_databases
from tests.genrec.server.pages.watching import accessibility, shifts, watch_shifts

_PHONE = {"viewport": {"width": 390, "height": 844}}


class Gated(ScriptedEngine):
    """Does each thing when it is let: ranks, and writes one reason after the other."""

    def __init__(self, **scripted: Any) -> None:
        super().__init__(**scripted)
        self.may_rank, self._reasons, self._written = False, 0, 0

    def let_write(self, reasons: int) -> None:
        self._reasons += reasons

    async def score_labels(self, messages: Messages, labels: Any, *, cache_salt: str | None = None) -> LabelScores:
        while not self.may_rank:
            await asyncio.sleep(0.01)
        return await super().score_labels(messages, labels, cache_salt=cache_salt)

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        while self._written >= self._reasons:
            await asyncio.sleep(0.01)
        self._written += 1
        async for chunk in super().generate(messages, sampling):
            yield chunk


def ask(seen: Seen, user_id: str = "ann", n: int = 3, **fields: str) -> None:
    """Fill the form and send it."""
    if "/pages/recommendations" not in seen.page.url:
        seen.go("/pages/recommendations")
    for name, value in {"user_id": user_id, "n": str(n), **fields}.items():
        seen.page.locator(f"#{name}").fill(value)
    seen.page.locator("#ask button.primary").click()


def ended(seen: Seen) -> None:
    """Wait until the list is complete."""
    expect(seen.page.locator("#outcome > *").first).to_be_visible()


def titles(page: Page) -> list[str]:
    return page.locator(".card h2").all_inner_texts()


def test_a_list_grows_in_its_places(open_site: OpenSite) -> None:
    engine = Gated(scores=lambda label: float(ord(label)))
    seen = open_site(engine).sign_in()
    page = seen.page
    watch_shifts(page)
    ask(seen)
    expect(page.locator("#status")).to_contain_text("The language model is reading")
    found = titles(page)
    assert len(found) == 3
    assert set(page.locator(".badge").all_inner_texts()) <= {"Retrieval", "Popular"}
    assert page.get_by_role("button", name="Like").first.is_disabled()

    engine.may_rank = True
    expect(page.locator("#status")).to_contain_text("Reasons are being written")
    assert set(page.locator(".badge").all_inner_texts()) == {"Model"}
    assert titles(page) != found
    ranked = titles(page)
    for written in (1, 2, 3):
        engine.let_write(1)
        expect(page.locator(".reason p")).to_have_count(written)
        assert titles(page) == ranked
    ended(seen)
    assert "Done in" in page.locator("#status").inner_text()
    assert all(text.startswith("Because") for text in page.locator(".reason").all_inner_texts())
    assert shifts(page) < 0.02
    assert seen.complaints == []


@pytest.mark.parametrize("settings", [{}, _PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("error", [None, EngineError("down")], ids=["well", "degraded"])
def test_nothing_moves_while_a_long_list_is_read(
    open_site: OpenSite, settings: dict[str, Any], error: EngineError | None
) -> None:
    engine = Gated(text="Because " + "you bought Green tea " * 30 + ".", error=error)
    seen = open_site(engine).sign_in(**settings)
    ask(seen, n=5)
    expect(seen.page.locator(".card")).to_have_count(5)
    seen.page.wait_for_timeout(600)  # what moves right after a click does not count
    watch_shifts(seen.page)
    engine.may_rank = True
    engine.let_write(5)
    ended(seen)
    assert shifts(seen.page) < 0.02


def test_a_shift_would_be_seen(site: Site) -> None:
    seen = site.sign_in()
    ask(seen)
    ended(seen)
    seen.page.wait_for_timeout(600)
    watch_shifts(seen.page)
    seen.page.evaluate("document.querySelector('#status').append(...Array(200).fill('more words than fit '))")
    seen.page.wait_for_timeout(200)
    assert shifts(seen.page) > 0.02


@on_both_databases
def test_evidence_opens_the_event_of_the_past(site: Site) -> None:
    seen = site.sign_in()
    ask(seen)
    ended(seen)
    chip = seen.page.locator(".chip", has_text="you bought Green tea").first
    chip.press("Enter")
    opened = seen.page.locator(".about:popover-open")
    expect(opened).to_contain_text("2026-11-01")
    expect(opened).to_contain_text("you bought Green tea")
    expect(opened).to_contain_text("tea to drink")
    seen.page.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    expect(chip).to_be_focused()


@on_both_databases
def test_feedback_is_kept_with_its_list_and_can_be_taken_back(site: Site) -> None:
    seen = site.sign_in()
    ask(seen)
    ended(seen)
    card = seen.page.locator(".card").first
    item_id = card.get_attribute("data-item")
    for name in ("Like", "Save"):
        card.get_by_role("button", name=name).click()
        expect(card.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
    events = site.house.tenant.history("ann", 10)
    assert [(e.item_id, e.type, e.value) for e in events[:2]] == [(item_id, "favorite", None), (item_id, "rate", 5)]
    exported = site.house.tenant.export_user("ann")
    assert {row["recommendation_id"] for row in exported["events"]} == {
        None,
        exported["recommendations"][0]["recommendation_id"],
    }
    for name in ("Like", "Save"):
        card.get_by_role("button", name=name).click()
        expect(card.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "false")
    assert len(site.house.tenant.history("ann", 10)) == 1
    assert seen.complaints == []


def test_a_verdict_belongs_to_the_day_that_was_tried_out(site: Site) -> None:
    seen = site.sign_in()
    seen.page.locator("summary", has_text="Here and now").click()
    ask(seen, time="2026-11-02")
    ended(seen)
    seen.page.get_by_role("button", name="Save").first.click()
    expect(seen.page.locator("[aria-pressed=true]")).to_have_count(1)
    assert str(site.house.tenant.history("ann", 1)[0].timestamp) == "2026-11-02 00:00:00+00:00"


@on_both_databases
def test_the_next_list_says_what_feedback_changed(site: Site) -> None:
    seen = site.sign_in()
    ask(seen)
    ended(seen)
    gone = titles(seen.page)[0]
    card = seen.page.locator(".card").first
    card.get_by_role("button", name="Not interested").click()
    expect(card).to_contain_text("Undo")
    seen.page.get_by_role("button", name="Show the next list").click()
    effect = seen.page.locator("#effect")
    expect(effect).to_contain_text("since your feedback")
    assert f"Gone: {gone}." in effect.inner_text()
    assert gone not in titles(seen.page)

    ask(seen, instruction="something strong")
    ended(seen)
    assert "since your feedback" not in effect.inner_text()


@on_both_databases
def test_undo_brings_an_item_back(site: Site) -> None:
    seen = site.sign_in()
    ask(seen)
    ended(seen)
    before = titles(seen.page)
    card = seen.page.locator(".card").first
    card.get_by_role("button", name="Not interested").click()
    card.get_by_role("button", name="Undo").click()
    expect(card.get_by_role("button", name="Not interested")).to_be_visible()
    ask(seen)
    ended(seen)
    assert titles(seen.page) == before


def test_a_dead_model_is_said_and_the_list_stays(open_site: OpenSite) -> None:
    seen = open_site(ScriptedEngine(error=EngineError("down"))).sign_in()
    ask(seen)
    ended(seen)
    assert "did not rank this list" in seen.page.locator("#status").inner_text()
    assert seen.page.locator(".reason").all_inner_texts() == ["No reason was written."] * 3
    assert "EngineError: down" in seen.page.locator("#outcome").inner_text()
    assert "Model" not in seen.page.locator(".badge").all_inner_texts()


def test_an_error_in_the_middle_is_said_in_plain_words(open_site: OpenSite) -> None:
    seen = open_site(ScriptedEngine(error=RuntimeError("hunter2"), stage="generate")).sign_in()
    ask(seen)
    expect(seen.page.locator("#status")).to_contain_text("Something in the service failed")
    assert "hunter2" not in seen.page.content()


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"user_id": "nobody"}, "no user 'nobody'"), ({"other": "rain"}, "write name=value, parted by commas")],
)
def test_what_cannot_be_asked_is_refused_in_plain_words(site: Site, fields: dict[str, str], said: str) -> None:
    seen = site.sign_in()
    seen.page.locator("summary", has_text="Here and now").click()
    ask(seen, **fields)
    expect(seen.page.locator("#status .problem")).to_contain_text(said)
    expect(seen.page.locator(".card")).to_have_count(0)


@on_both_databases
def test_nothing_left_is_said(site: Site) -> None:
    items = [item.item_id for item in site.house.tenant.items()]
    for item_id in items:
        site.house.client.post("/v1/events", json={"user_id": "ann", "item_id": item_id, "type": "view"})
    seen = site.sign_in()
    ask(seen)
    expect(seen.page.locator("#status")).to_contain_text("Nothing is left")
    expect(seen.page.locator(".card")).to_have_count(0)


def test_a_service_that_is_gone_is_said(site: Site) -> None:
    seen = site.sign_in()
    seen.page.context.set_offline(True)
    ask(seen)
    expect(seen.page.locator("#status")).to_contain_text("cannot be reached")
    seen.page.context.set_offline(False)
    ask(seen)
    ended(seen)


def test_an_address_asks_again_and_a_key_that_ends_leads_to_the_sign_in(site: Site) -> None:
    secret = site.house.database.add_key("default", "short", ("read",))
    seen = site.sign_in(secret)
    ask(seen, instruction="a tea")
    ended(seen)
    seen.page.reload()
    ended(seen)
    assert seen.page.locator("#instruction").input_value() == "a tea"
    assert seen.page.get_by_role("button", name="Like").count() == 0  # the key may not write
    site.house.database.revoke_key("default", "short")
    seen.page.locator("#ask button.primary").click()
    seen.page.wait_for_url("**/pages/sign-in")


def test_some_users_are_a_press_away(site: Site) -> None:
    seen = site.sign_in()
    seen.page.get_by_role("link", name="ann").click()
    ended(seen)
    assert seen.page.locator("#user_id").input_value() == "ann"
    assert seen.page.get_by_role("link", name="ann").count() == 0


def test_users_are_offered_as_one_types(site: Site) -> None:
    site.house.client.post("/v1/users/batch", json={"users": [{"user_id": f"u{n:04}"} for n in range(150)]})
    seen = site.sign_in()
    seen.page.locator("#user_id").press_sequentially("u014")
    expect(seen.page.locator("#users option[value=u0149]")).to_have_count(1)
    seen.page.locator("#user_id").fill("bob")
    seen.page.locator("#user_id").blur()
    expect(seen.page.locator("#known")).to_contain_text("Lyon")


def test_everything_works_by_keyboard(site: Site) -> None:
    seen = site.sign_in()
    page = seen.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#user_id")).to_be_focused()
    page.keyboard.type("ann")
    page.keyboard.press("Enter")
    ended(seen)
    like = page.get_by_role("button", name="Like").first
    for _ in range(40):
        if like.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    assert like.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Space")
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(like).to_be_focused()


def test_who_wants_no_motion_gets_none(site: Site) -> None:
    seen = site.sign_in(reduced_motion="reduce")
    ask(seen)
    ended(seen)
    assert seen.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_no_serious_barrier(site: Site, scheme: str, locale: str) -> None:
    seen = site.signed_out(color_scheme=scheme, locale=locale)
    seen.go("/pages/sign-in")
    assert accessibility(seen.page) == []
    seen.page.locator("#key").fill(site.house.secret)
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**/pages/recommendations")
    ask(seen)
    ended(seen)
    seen.page.locator(".dismiss").first.click()
    expect(seen.page.locator(".dismissed")).to_be_visible()
    assert accessibility(seen.page) == []
    seen.page.locator(".chip").last.click()
    assert accessibility(seen.page) == []
    assert seen.page.locator("html").get_attribute("lang") == ("zh-Hans" if locale == "zh-CN" else "en")
