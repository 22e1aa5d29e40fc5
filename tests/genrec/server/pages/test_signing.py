"""Sign-in with a key: the session that stands for it, what it may do, and how it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from genrec.server.pages.static import FILES
from genrec.server.pages.visiting import SESSION_COOKIE
from genrec.server.pages.words import phrases
from genrec.store.database import sessions
from genrec.wording import LANGUAGES
from tests.genrec.server.conftest import House
from tests.genrec.server.pages.conftest import Site, on_both_databases

_SAME = {"Sec-Fetch-Site": "same-origin"}
_HTMX = {"htmx.min.js": ("2.0.11", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717")}


@pytest.fixture
def visitor(house: House) -> Iterator[TestClient]:
    """A browser without a key in its headers."""
    client = TestClient(house.client.app, base_url="http://testserver", follow_redirects=False)
    yield client
    client.close()


def _sign_in(visitor: TestClient, key: str, **form: str) -> str:
    answer = visitor.post("/pages/sign-in", data={"key": key, **form}, headers=_SAME)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _csrf(visitor: TestClient) -> str:
    return visitor.get("/pages/recommendations").text.split('data-csrf="')[1].split('"')[0]


@on_both_databases
def test_signing_in_and_out_in_a_browser(site: Site) -> None:
    seen = site.signed_out()
    seen.go("/")
    seen.page.locator("#key").fill("genrec_nonsense")
    seen.page.keyboard.press("Enter")
    assert "No such key" in seen.page.get_by_role("alert").inner_text()
    seen.page.locator("#key").fill(site.house.secret)
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**/pages/recommendations")
    assert seen.page.evaluate("document.cookie") == ""
    seen.page.get_by_role("button", name="Sign out").click()
    seen.page.wait_for_url("**/pages/sign-in")
    seen.go("/pages/recommendations")
    assert seen.page.url.endswith("/pages/sign-in?next=%2Fpages%2Frecommendations")
    assert [said for said in seen.complaints if "401" not in said] == []


def test_the_cookie_is_kept_from_scripts_and_other_sites(house: House, visitor: TestClient) -> None:
    answer = visitor.post("/pages/sign-in", data={"key": house.secret}, headers=_SAME)
    cookie = answer.headers["set-cookie"]
    assert house.secret not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/pages"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    tls = visitor.post("/pages/sign-in", data={"key": house.secret}, headers={**_SAME, "Origin": "https://a.example"})
    assert "Secure" in tls.headers["set-cookie"]


def test_a_public_key_signs_nobody_in(house: House, visitor: TestClient) -> None:
    public = house.database.add_public_key("default", "shop", ["https://shop.example"])
    assert visitor.post("/pages/sign-in", data={"key": public.key}, headers=_SAME).status_code == 401
    assert SESSION_COOKIE not in visitor.cookies


def test_a_revoked_key_ends_its_sessions(house: House, visitor: TestClient) -> None:
    _sign_in(visitor, house.database.add_key("default", "short", ("read",)))
    assert visitor.get("/pages/recommendations").status_code == 200
    house.database.revoke_key("default", "short")
    assert visitor.get("/pages/recommendations").status_code == 303


def test_a_session_ends_by_itself(house: House, visitor: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    _sign_in(visitor, house.secret)
    now = sessions.time()
    monkeypatch.setattr(sessions, "time", lambda: now + sessions.HOURS * 3600 + 1)
    assert visitor.get("/pages/recommendations").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {}],
)
def test_another_sites_page_cannot_sign_anybody_in(house: House, visitor: TestClient, headers: dict[str, str]) -> None:
    assert visitor.post("/pages/sign-in", data={"key": house.secret}, headers=headers).status_code == 403
    assert SESSION_COOKIE not in visitor.cookies


def test_what_changes_something_needs_the_token_of_the_page(house: House, visitor: TestClient) -> None:
    _sign_in(visitor, house.secret)
    token = _csrf(visitor)
    for headers in ({**_SAME}, {**_SAME, "X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": token}):
        assert visitor.post("/pages/sign-out", headers=headers).status_code == 403
    assert visitor.post("/pages/sign-out", headers={**_SAME, "X-CSRF-Token": token}).status_code == 204
    assert visitor.get("/pages/recommendations").status_code == 303


@pytest.mark.parametrize("after", ["https://evil.example", "//evil.example", "/pages/\\evil.example", "/v1/items"])
def test_signing_in_leads_to_no_other_site(house: House, visitor: TestClient, after: str) -> None:
    assert _sign_in(visitor, house.secret, next=after) == "/pages/recommendations"


def test_a_key_of_the_api_opens_no_page_and_a_session_no_route_of_the_api(house: House, visitor: TestClient) -> None:
    assert house.client.get("/pages/recommendations", follow_redirects=False).status_code == 303
    _sign_in(visitor, house.secret)
    assert visitor.get("/v1/items").status_code == 401


def test_every_page_has_the_policy(house: House, visitor: TestClient) -> None:
    for path in ("/pages/sign-in", "/pages/recommendations"):
        headers = visitor.get(path, follow_redirects=True).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers.get_list("cache-control") == ["no-store"]
    assert "script-src" not in house.client.get("/v1/items").headers["content-security-policy"]


def test_a_page_that_is_not_there_is_said_on_a_page(visitor: TestClient) -> None:
    answer = visitor.get("/pages/nothing/<b>")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page." in answer.text
    assert "<b>" not in answer.text


def test_vendored_files_are_what_was_published() -> None:
    for name, (version, digest) in _HTMX.items():
        assert hashlib.sha256(FILES[name]).hexdigest() == digest
        assert f'version:"{version}"'.encode() in FILES[name]
    assert b"Zero-Clause BSD" in FILES["htmx.LICENSE.txt"]


def test_every_phrase_is_there_in_every_language() -> None:
    for page, found in phrases().items():
        for name, by_language in found.items():
            assert set(by_language) == set(LANGUAGES), f"{page}.{name}"
            assert all(isinstance(text, str) and text for text in by_language.values()), f"{page}.{name}"
            assert len({tuple(sorted(_holes(text))) for text in by_language.values()}) == 1, f"{page}.{name}"


def _holes(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


@pytest.mark.parametrize(
    ("query", "accepted", "said"),
    [("", "zh-CN,zh;q=0.9,en;q=0.8", "登录"), ("?lang=en", "zh", "Sign in"), ("", "fr", "Sign in")],
)
def test_the_language_is_the_one_asked_for(visitor: TestClient, query: str, accepted: str, said: str) -> None:
    answer = visitor.get(f"/pages/sign-in{query}", headers={"Accept-Language": accepted})
    assert f"<h1>{said}</h1>" in answer.text
    if query:
        assert f"<h1>{said}</h1>" in visitor.get("/pages/sign-in", headers={"Accept-Language": "zh"}).text
