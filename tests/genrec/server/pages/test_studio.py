"""The prompt studio in a browser: edit beside what is sent, keep, refuse what is stale, compare, promote, take back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from genrec import EngineError, Event, User
from genrec.engine.base import LabelScores, Messages
from genrec.server.prompts import Prompts
from genrec.testing import ScriptedEngine
from tests.genrec.server.pages.conftest import OpenSite, Seen, Site, on_both_databases
from tests.genrec.server.pages.watching import accessibility

_PAYLOADS = [json.loads(line) for line in (Path(__file__).parents[1] / "xss_payloads.txt").read_text().splitlines()]
_CRITIC = "You are a critic. Answer with a letter, or with JSON of label and reason, or a reason."
_PHONE = {"viewport": {"width": 390, "height": 844}}


def _studio(site: Site, secret: str = "", path: str = "/pages/prompts", **settings: Any) -> Seen:
    seen = site.sign_in(secret, **settings)
    seen.go(path)
    expect(seen.page.locator("#tried pre").first).to_be_visible()
    return seen


def _write(page: Page, text: str, file: str = "_system.j2") -> None:
    page.locator(f".file[data-file='{file}']").click()
    page.locator(".sheet:visible textarea").fill(text)


def _keep(page: Page) -> str:
    """Keep what stands there: its version."""
    page.get_by_role("button", name="Keep as a version").click()
    page.wait_for_url("**done=kept**")
    return page.url.split("at=")[1].split("&")[0]


def _kept(site: Site, text: str) -> str:
    """Another system text, kept by somebody else: its version."""
    prompts = Prompts(site.house.tenant)
    pack = prompts.draft("general", None, {"_system.j2": text})
    prompts.keep(pack)
    return pack.version


def _shipped(site: Site) -> str:
    return str(Prompts(site.house.tenant).versions("general")[0]["version"])


def _complaints(seen: Seen) -> list[str]:
    """Those apart that a browser makes of an error status, and of a request that a page leaves behind."""
    usual = ("Failed to load resource", "Response Status Error", "htmx:afterRequest", "htmx:sendAbort")
    return [said for said in seen.complaints if not any(part in said for part in usual)]


def _confirm(seen: Seen, name: str) -> None:
    seen.page.once("dialog", lambda dialog: dialog.accept())
    seen.page.locator(".versions .mine").get_by_role("button", name=name).click()


@on_both_databases
def test_an_edit_is_seen_tested_kept_promoted_and_taken_back(site: Site) -> None:
    seen = _studio(site)
    page, shipped = seen.page, site.house.list()["prompt"]["version"]
    _write(page, _CRITIC)
    expect(page.locator("#tried pre").first).to_have_text(_CRITIC)
    expect(page.locator("#tried .sum")).to_contain_text("tokens")
    expect(page.locator("#findings")).to_have_text("Lint finds nothing wrong.")
    page.get_by_role("button", name="Run the tests").click()
    expect(page.locator("#tests")).to_contain_text("tests passed")
    first = _keep(page)
    expect(page.locator(".loaded ins").first).to_have_text(f"+{_CRITIC}")
    assert site.house.list()["prompt"]["version"] == shipped
    _confirm(seen, "Let it answer")
    page.wait_for_url("**done=promoted**")
    assert site.house.list()["prompt"]["version"] == first
    _write(page, f"{_CRITIC} Be brief.")
    second = _keep(page)
    _confirm(seen, "Let it answer")
    page.wait_for_url("**done=promoted**")
    assert site.house.list()["prompt"]["version"] == second
    _confirm(seen, "Take it back")
    page.wait_for_url("**done=rolled_back**")
    expect(page.get_by_role("status").first).to_contain_text(first)
    assert site.house.list()["prompt"]["version"] == first
    _confirm(seen, "Take it back")
    expect(page.get_by_role("status").first).to_contain_text(shipped)
    assert site.house.list()["prompt"]["version"] == shipped
    expect(page.locator(".versions .mine").get_by_role("button", name="Take it back")).to_have_count(0)
    assert _complaints(seen) == []


def test_what_is_wrong_is_shown_with_its_line_and_not_kept(site: Site) -> None:
    seen = _studio(site)
    page, before = seen.page, len(site.house.tenant.prompt_versions("general"))
    _write(page, f"{_CRITIC}\n\n{{{{ nobody }}}}\n")
    expect(page.locator("#tried .problem")).to_contain_text("_system.j2, line 3")
    page.locator(".file[data-file='rank.j2']").click()
    page.locator("#findings button", has_text="_system.j2, line 3").first.click()
    area = page.locator("textarea[name='file/_system.j2']")
    expect(area).to_be_focused()
    assert area.evaluate("(e) => e.value.slice(e.selectionStart, e.selectionEnd)") == "{{ nobody }}"
    _write(page, "{% if %}")
    expect(page.locator("#tried .problem")).to_contain_text("does not compile")
    page.get_by_role("button", name="Keep as a version").click()
    expect(page.locator("#notice")).to_contain_text("does not compile")
    expect(area).to_have_value("{% if %}")
    assert len(site.house.tenant.prompt_versions("general")) == before


@on_both_databases
def test_a_stale_edit_is_refused_and_not_lost(site: Site) -> None:
    mine, theirs = _studio(site), _studio(site)
    _write(theirs.page, _CRITIC)
    version = _keep(theirs.page)
    page = mine.page
    _write(page, "{{ item.title }} only", "_item.j2")
    page.get_by_role("button", name="Keep as a version").click()
    expect(page.locator("#notice")).to_contain_text(f"Somebody kept version {version}")
    expect(page.locator("textarea[name='file/_item.j2']")).to_have_value("{{ item.title }} only")
    expect(page.locator("#beside")).to_contain_text(_CRITIC)
    assert [kept.version for kept in site.house.tenant.prompt_versions("general")] == [version]
    page.get_by_role("button", name="Go on from theirs").click()
    expect(page.locator("textarea[name='file/_system.j2']")).to_have_value(_CRITIC)
    expect(page.locator("textarea[name='file/_item.j2']")).to_have_value("{{ item.title }} only")
    both = site.house.tenant.prompt("general", _keep(page))
    assert (both["_system.j2"], both["_item.j2"]) == (_CRITIC, "{{ item.title }} only")


def test_without_the_guard_a_stale_edit_would_hide_the_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(Prompts, "keep_next", lambda self, pack, seen: self.keep(pack))
    mine, theirs = _studio(site), _studio(site)
    _write(theirs.page, _CRITIC)
    _keep(theirs.page)
    _write(mine.page, "{{ item.title }} only", "_item.j2")
    assert site.house.tenant.prompt("general", _keep(mine.page))["_system.j2"] != _CRITIC


@on_both_databases
def test_a_label_that_somebody_moved_is_not_moved_from_an_old_page(site: Site) -> None:
    seen = _studio(site)
    _write(seen.page, _CRITIC)
    version = _keep(seen.page)
    other = _kept(site, f"{_CRITIC} No.")
    site.house.tenant.move_label("general", "production", other, by="promote", expected=None)
    _confirm(seen, "Let it answer")
    notice = seen.page.locator("#notice")
    expect(notice).to_contain_text("Somebody changed this meanwhile")
    expect(notice).to_be_in_viewport()  # the button was at the foot of the page
    assert site.house.list()["prompt"]["version"] == other != version
    seen.page.get_by_role("button", name="Run the tests").click()
    expect(notice).to_be_empty()


def test_a_key_that_reads_tries_and_keeps_nothing(site: Site) -> None:
    seen = _studio(site, site.house.database.add_key("default", "reads", ["read"]))
    _write(seen.page, _CRITIC)
    expect(seen.page.locator("#tried pre").first).to_have_text(_CRITIC)
    assert seen.page.get_by_role("button", name="Keep as a version").count() == 0
    answer = seen.page.evaluate(
        """() => fetch('/pages/prompts/versions', {method: 'POST', body: new URLSearchParams(new FormData(draft)),
        headers: {'HX-Request': 'true', 'X-CSRF-Token': document.body.dataset.csrf}}).then((answer) => answer.status)"""
    )
    assert answer == 403
    assert site.house.tenant.prompt_versions("general") == []


def test_tab_indents_and_escape_lets_the_keyboard_out(site: Site) -> None:
    page = _studio(site).page
    area = page.locator(".sheet:visible textarea")
    area.fill("one")
    area.press("Home")
    area.press("Tab")
    expect(area).to_have_value("  one")
    expect(page.locator(".file[aria-current] .changed")).to_be_visible()
    area.press("Escape")
    area.press("Tab")
    expect(area).not_to_be_focused()
    expect(area).to_have_value("  one")


class _Obedient(ScriptedEngine):
    """Ranks from the last letter to the first where the prompt says so."""

    async def score_labels(self, messages: Messages, labels: Any, *, cache_salt: str | None = None) -> LabelScores:
        found = await super().score_labels(messages, labels, cache_salt=cache_salt)
        sign = -1 if "backwards" in messages[0]["content"] else 1
        return LabelScores({label: sign * score for label, score in found.logprobs.items()}, found.usage)


def _two(site: Site) -> str:
    """Another version: the address of its comparison with the one that ships."""
    version = _kept(site, f"{_CRITIC} Think backwards.")
    return f"/pages/prompts/compare?name=general&a={_shipped(site)}&b={version}"


@on_both_databases
def test_two_versions_answer_side_by_side_and_nothing_of_it_is_kept(open_site: OpenSite) -> None:
    site = open_site(_Obedient(scores=lambda label: -float(ord(label))))
    seen = site.sign_in()
    seen.go(_two(site) + "&users=ann")
    sides = seen.page.locator(".sides > section")
    expect(sides).to_have_count(2)
    first, second = (sides.nth(side).locator(".places bdi").all_inner_texts() for side in (0, 1))
    assert first != second
    expect(sides.nth(1).locator(".tag.strong").first).to_be_visible()
    expect(seen.page.locator(".diff ins").first).to_contain_text("backwards")
    assert site.house.tenant.recent(10).lists == ()
    assert _complaints(seen) == []


def test_too_few_users_for_a_verdict_are_said(site: Site) -> None:
    seen = site.sign_in()
    seen.go(_two(site))
    seen.page.get_by_role("button", name="Ask for a verdict").click()
    expect(seen.page.locator("#trial")).to_contain_text("Too few users")


def test_a_verdict_has_an_interval_and_counts_its_users(open_site: OpenSite) -> None:
    site = open_site(_Obedient(scores=lambda label: -float(ord(label))))
    takes = [("green-tea", "2024-01-01"), ("black-tea", "2024-01-02"), ("mocha", "2024-01-03")]
    events = [
        Event(user_id=f"u{user}", item_id=item, type="purchase", timestamp=time)
        for user in range(60)
        for item, time in takes
    ]
    site.house.tenant.add_events(events)
    seen = site.sign_in()
    seen.go(_two(site))
    seen.page.get_by_role("button", name="Ask for a verdict").click()
    expect(seen.page.locator("#trial table")).to_be_visible(timeout=60_000)
    assert "40 users" in seen.page.locator("#trial .said").inner_text()
    assert "ndcg@10" in seen.page.locator("#trial tbody tr").first.inner_text()


@pytest.mark.parametrize("settings", [{}, {**_PHONE, "color_scheme": "dark", "locale": "zh-CN"}], ids=["wide", "phone"])
def test_no_serious_barrier_and_nothing_sticks_out(site: Site, settings: dict[str, Any]) -> None:
    seen = _studio(site, **settings)
    _write(seen.page, "{{ nobody }}")
    expect(seen.page.locator("#findings .error").first).to_be_visible()
    assert accessibility(seen.page) == []
    seen.go(_two(site) + "&users=ann,bob")
    expect(seen.page.locator(".sides").nth(1)).to_be_visible()
    expect(seen.page.locator(".diff").first).to_be_visible()
    assert accessibility(seen.page) == []
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


_MARKS = """() => [...document.querySelectorAll("main *, #notice *")].flatMap((e) =>
  [e.localName, ...e.getAttributeNames().map((name) => `${e.localName} ${name}`)])"""


def _walk(site: Site, texts: list[str]) -> tuple[set[str], Seen]:
    """Templates, what they make, faults, versions, users and failures with these texts in them: what is in the page."""
    site.house.tenant.put_users([User(user_id=text) for text in texts])
    seen = _studio(site)
    seen.page.on("dialog", lambda dialog: dialog.dismiss())
    seen.page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}"))
    found: set[str] = set()
    hostile = "\n".join(f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" for text in texts)
    _write(seen.page, f"{_CRITIC}\n{hostile}\nthe end")
    expect(seen.page.locator("#tried pre").first).to_contain_text("the end")
    found |= set(seen.page.evaluate(_MARKS))
    version = _keep(seen.page)
    expect(seen.page.locator(".loaded ins").first).to_be_visible()
    found |= set(seen.page.evaluate(_MARKS))
    _write(seen.page, "".join(f"{{{{ {json.dumps(text, ensure_ascii=False)} > 1 }}}}\n" for text in texts))
    expect(seen.page.locator("#tried .problem")).to_be_visible()
    expect(seen.page.locator("#findings .error").first).to_be_visible()
    found |= set(seen.page.evaluate(_MARKS))
    seen.page.evaluate("document.querySelectorAll('textarea').forEach((e) => (e.value = e.defaultValue))")
    for start in range(0, len(texts), 10):
        users = quote(",".join(texts[start : start + 10]), safe="")
        seen.go(f"/pages/prompts/compare?name=general&a={_shipped(site)}&b={version}&users={users}")
        seen.page.wait_for_load_state("networkidle")
        found |= set(seen.page.evaluate(_MARKS))
    assert seen.page.evaluate("window.pwned") is None
    return found, seen


@pytest.mark.parametrize("start", [0, 60])
def test_text_that_wants_to_be_markup_stays_text(open_site: OpenSite, start: int) -> None:
    engine = ScriptedEngine(error=EngineError("".join(_PAYLOADS)), stage="score")
    plain, _ = _walk(open_site(engine), [f"plain {number}" for number in range(3)])
    found, seen = _walk(open_site(engine), [text for text in _PAYLOADS[start : start + 60] if "\0" not in text])
    assert found - plain == set()
    assert _complaints(seen) == []
