"""Figures of the latest lists: what they count, of whom, and how they keep up."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from genrec import EngineError
from genrec.grounding import Facts, Names, check
from genrec.server.pages.figures import Rate, figures, kind_of
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import bearer, fill
from tests.genrec.server.pages.conftest import OpenSite, Seen, Site, on_both_databases
from tests.genrec.server.pages.watching import accessibility


def _quality(site: Site, secret: str = "", **settings: Any) -> Seen:
    seen = site.sign_in(secret, **settings)
    seen.go("/pages/quality")
    return seen


def _feedback(site: Site, given: dict[str, Any], place: int, type: str, **more: Any) -> None:
    item = given["items"][place]["item_id"]
    event = {"user_id": "ann", "item_id": item, "type": type, "recommendation_id": given["id"], **more}
    answer = site.house.client.post("/v1/events", json={"events": [event]})
    assert answer.status_code in {200, 201}, answer.text


def test_no_data_is_said(site: Site) -> None:
    seen = _quality(site)
    expect(seen.page.locator("#figures")).to_contain_text("No data yet.")
    assert seen.complaints == []


@on_both_databases
def test_figures_count_what_happened(site: Site) -> None:
    first, second = site.house.list(), site.house.list()
    _feedback(site, first, 0, "favorite")
    _feedback(site, first, 0, "purchase")
    _feedback(site, first, 1, "dismiss")
    _feedback(site, second, 2, "rate", value=5)
    judged = {"recommendation_id": first["id"], "item_id": first["items"][0]["item_id"], "verdict": "wrong"}
    assert site.house.client.post("/v1/feedback", json=judged).status_code in {200, 201, 204}
    found = figures(site.house.tenant.recent(10))
    [variant] = found.variants
    assert (found.lists, found.unfinished, found.fallbacks) == (2, 0, Rate(0, 2))
    assert (variant.liked, variant.disliked, variant.unhelpful) == (Rate(2, 6), Rate(1, 6), Rate(1, 1))
    shown = {item["item_id"] for given in (first, second) for item in given["items"]}
    assert found.coverage == Rate(len(shown), len(site.house.tenant.items()))
    rejected = sum(len(given["trace"]["rejected_reasons"]) for given in (first, second))
    assert found.rejected.count == rejected
    page = _quality(site).page
    expect(page.locator("#q-variants ~ .scroll tbody tr")).to_contain_text("2 / 6")
    expect(page.locator("#q-steps ~ .scroll tbody tr")).to_have_count(5)


def test_a_fallback_is_counted_by_its_cause_without_its_message(open_site: OpenSite) -> None:
    site = open_site(ScriptedEngine(error=EngineError("a secret"), stage="score"))
    site.house.list()
    tile = _quality(site).page.locator(".tile").first
    expect(tile).to_contain_text("100.0% 1 / 1")
    expect(tile).to_contain_text("rank: EngineError")
    expect(tile).not_to_contain_text("secret")


@on_both_databases
def test_lists_that_were_never_finished_are_in_no_rate(site: Site) -> None:
    whole = site.house.tenant.recommendation(site.house.list()["id"]).recommendation
    begun = whole.model_copy(update={"id": "begun", "provisional": True})
    site.house.tenant.save_recommendation(begun, {})
    found = figures(site.house.tenant.recent(10))
    assert (found.lists, found.unfinished, found.own.of) == (1, 1, len(whole.items))


@on_both_databases
def test_nobody_sees_the_figures_of_another_tenant(site: Site) -> None:
    fill(site.house.database.create_tenant("other"))
    theirs = site.house.database.add_key("other", "all", ["read"])
    site.house.list()
    expect(_quality(site, theirs).page.locator("#figures")).to_contain_text("No data yet.")
    asked = site.house.client.post("/v1/recommend", json={"user_id": "ann", "n": 1}, headers=bearer(theirs))
    assert asked.status_code == 200
    assert [len(site.house.tenant.recent(9).lists), figures(site.house.tenant.recent(9)).own.of] == [1, 3]


def test_figures_keep_up_while_somebody_looks_and_rest_when_nobody_does(site: Site) -> None:
    seen = site.signed_out()
    seen.page.add_init_script("setInterval = ((set) => (call) => set(call, 200))(setInterval)")
    seen.go("/pages/sign-in?next=/pages/quality")
    seen.page.locator("#key").fill(site.house.secret)
    seen.page.locator("button.primary").click()
    expect(seen.page.locator("#figures")).to_contain_text("No data yet.")
    site.house.list()
    expect(seen.page.locator("#figures")).to_contain_text("The last 1 complete lists")
    asked: list[str] = []
    seen.page.on("request", lambda request: asked.append(request.url))
    seen.page.wait_for_timeout(1500)
    assert asked
    seen.page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    seen.page.wait_for_timeout(1000)
    asked.clear()
    seen.page.wait_for_timeout(1500)
    assert asked == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier(site: Site, scheme: str) -> None:
    site.house.list()
    seen = _quality(site, color_scheme=scheme, viewport={"width": 390, "height": 844})
    assert accessibility(seen.page) == []
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Because you bought Green tea, 7 others did.", "number"),
        ("Because you bought Green tea, like Paris.", "name"),
        ("Because you bought Green tea, it is exquisite.", "word"),
        ("Because you bought Green tea and you bought Black tea.", "person"),
        ("Because it is a tea.", "citation"),
        ("Because", "form"),
    ],
)
def test_what_was_wrong_with_a_reason_is_named_by_its_kind(sentence: str, kind: str) -> None:
    cause = check(sentence, Facts(["you bought Green tea"], ["Green tea"], ["Black tea"], [Names(["Paris"])], "", "en"))
    assert cause
    assert kind_of(cause) == kind
