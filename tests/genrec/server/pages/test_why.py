"""Why an item is in a list: what mattered, what would change it, and what somebody does about it, in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from genrec import Context, Event, NotFound
from tests.conftest import Scripted
from tests.genrec.server.pages.conftest import Seen, Site, on_both_databases
from tests.genrec.server.pages.test_recommendations import ask, ended
from tests.genrec.server.pages.watching import accessibility


def _why(site: Site, place: int = 0, **fields: str) -> Seen:
    """The page of one item of a list for ann."""
    seen = site.sign_in()
    ask(seen, **fields)
    ended(seen)
    seen.page.locator("a.why").nth(place).click()
    expect(seen.page.get_by_role("heading", level=1)).to_contain_text("Why ")
    return seen


def test_influences_sum_to_the_score_and_say_what_would_change(scripted: Scripted) -> None:
    recommender = scripted()
    found = recommender.influences("ann", "espresso", context=Context(place="Delft"), instruction="coffee to drink")
    assert sum(influence.value for influence in found.influences) == pytest.approx(found.score)
    by_type = {influence.type: influence for influence in found.influences}
    assert set(by_type) >= {"event", "instruction", "item"}
    assert not by_type["item"].removable
    assert (
        by_type["instruction"].without == recommender.influences("ann", "espresso", context=Context(place="Delft")).rank
    )
    recommender.add_events([Event(user_id="ann", item_id="espresso", type="view")])
    assert recommender.influences("ann", "espresso").rank is None  # it was met
    with pytest.raises(NotFound):
        recommender.influences("ann", "nothing")


def test_without_an_event_is_as_if_it_had_not_happened(scripted: Scripted) -> None:
    recommender, before = scripted(), scripted()
    recommender.add_events([Event(user_id="ann", item_id="espresso", type="dismiss", event_id="e1")])
    moved = 0
    for item_id in ("black-tea", "oolong-tea", "filter-coffee", "mocha"):
        found = recommender.influences("ann", item_id)
        [event] = [influence for influence in found.influences if influence.ref == "e1"]
        assert event.without == before.influences("ann", item_id).rank
        moved += event.without != found.rank
    assert moved


@on_both_databases
def test_an_event_is_forgotten_and_counts_no_more(site: Site) -> None:
    seen = _why(site)
    line = seen.page.locator(".influences > li", has_text="you bought Green tea")
    expect(line).to_contain_text("without it")
    seen.page.once("dialog", lambda dialog: dialog.accept())
    line.get_by_role("button", name="Forget this event").click()
    expect(seen.page.get_by_role("status")).to_contain_text("forgotten")
    expect(line).to_have_count(0)
    assert site.house.tenant.history("ann", 10) == []
    seen.page.get_by_role("link", name="To the list").click()
    ended(seen)
    expect(seen.page.locator(".chip", has_text="Green tea")).to_have_count(0)
    assert seen.complaints == []


def test_an_event_stays_where_nobody_confirms(site: Site) -> None:
    seen = _why(site)
    seen.page.once("dialog", lambda dialog: dialog.dismiss())
    seen.page.get_by_role("button", name="Forget this event").first.click()
    assert len(site.house.tenant.history("ann", 10)) == 1


@on_both_databases
def test_an_attribute_is_withheld_and_used_again(site: Site) -> None:
    seen = _why(site)
    used = seen.page.locator("section", has=seen.page.locator("#used"))
    expect(used).to_contain_text("31, Delft")
    used.get_by_role("button", name="Do not use my age").click()
    expect(seen.page.get_by_role("status")).to_contain_text("not used any more")
    expect(used).not_to_contain_text("31, Delft")
    assert site.house.tenant.withheld("ann") == ["age"]
    used.get_by_role("button", name="Use my age again").click()
    expect(used).to_contain_text("31, Delft")
    assert site.house.tenant.withheld("ann") == []
    assert seen.complaints == []


def test_one_item_is_set_against_another_and_a_list_without_a_profile_is_near(site: Site) -> None:
    seen = _why(site, instruction="a tea")
    other = seen.page.locator(".others a").first
    title = other.inner_text()
    other.click()
    expect(seen.page.locator("section", has=seen.page.locator("#against")).locator(".said")).to_contain_text(title)
    expect(seen.page.locator("tbody tr").first).to_be_visible()
    seen.page.get_by_role("link", name="nothing known of me").click()
    ended(seen)
    assert seen.page.locator("[name=unprofiled]").is_checked()
    assert "Green tea" not in " ".join(seen.page.locator(".chip").all_inner_texts())
    seen.page.locator("a.why").first.click()
    expect(seen.page.locator("main")).to_contain_text("This list used nothing known of the user.")
    assert seen.complaints == []


def test_a_key_that_reads_sees_and_changes_nothing(site: Site) -> None:
    secret = site.house.database.add_key("default", "reads", ("read",))
    seen = site.sign_in(secret)
    ask(seen)
    ended(seen)
    seen.page.locator("a.why").first.click()
    expect(seen.page.locator(".influences li").first).to_be_visible()
    assert seen.page.locator("main button").count() == 0
    answer = seen.page.evaluate(
        """() => fetch('/pages/why/event?list_id=x&item_id=y&ref=z', {method: 'DELETE', headers:
        {'HX-Request': 'true', 'X-CSRF-Token': document.body.dataset.csrf}}).then((answer) => answer.status)"""
    )
    assert answer == 403


def test_the_event_of_somebody_else_is_not_forgotten(site: Site) -> None:
    seen = _why(site)
    [theirs] = site.house.tenant.history("bob", 10)
    answer = seen.page.evaluate(
        """(ref) => fetch(`/pages/why/event${location.search}&ref=${ref}`, {method: 'DELETE', headers:
        {'HX-Request': 'true', 'X-CSRF-Token': document.body.dataset.csrf}}).then((answer) => answer.status)""",
        theirs.event_id,
    )
    assert answer == 404
    assert len(site.house.tenant.history("bob", 10)) == 1


def test_a_list_that_is_not_there_is_said(site: Site) -> None:
    seen = site.sign_in()
    seen.go("/pages/why?list_id=nothing&item_id=mocha")
    assert "What you asked for is not there." in seen.page.locator("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier(site: Site, scheme: str) -> None:
    seen = _why(site)
    seen.page.emulate_media(color_scheme=scheme)
    seen.page.locator(".others a").first.click()
    for summary in seen.page.locator("summary").all():
        summary.click()
    assert accessibility(seen.page) == []
