"""Public keys: what pages of their origins may ask for, what their browsers are told, and nothing for anybody else."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from genrec.server.desk import MAY_LACK
from genrec.server.settings import Settings
from genrec.store.database import PublicKey
from tests.genrec.server.conftest import House, Open, bearer, break_database
from tests.genrec.server.test_access import SCOPES

SHOP = "https://shop.example"
OTHER = "https://other.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
ALLOWED = "access-control-allow-origin"


@pytest.fixture
def key(house: House) -> PublicKey:
    return house.database.add_public_key("default", "shop-window", [SHOP])


def _token(key: PublicKey, **claims: Any) -> str:
    return jwt.encode({"exp": time.time() + 60, **claims}, key.signing_secret, algorithm="HS256")


def _ask(house: House, key: PublicKey, origin: str | None = SHOP, token: str | None = None, **body: Any) -> Any:
    headers = bearer(key.key) | ({"Origin": origin} if origin else {}) | ({"X-User-Token": token} if token else {})
    return house.client.post("/v1/recommend", json={"user_id": "ann", "n": 2, **body}, headers=headers)


def test_a_page_gets_the_list_of_the_user_whose_token_it_sends(house: House, key: PublicKey) -> None:
    answer = _ask(house, key, token=_token(key, sub="ann"))
    assert answer.status_code == 200
    assert answer.json()["items"] == house.list("ann", n=2)["items"]
    assert answer.headers[ALLOWED] == SHOP
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


def test_without_a_token_a_list_knows_nothing_of_anybody(house: House, key: PublicKey) -> None:
    answer = _ask(house, key, user_id="anonymous", profiling=False)
    assert answer.status_code == 200
    cited = {evidence["type"] for item in answer.json()["items"] for evidence in item["evidence"]}
    assert cited <= {"context", "item", "instruction"}
    for body in ({}, {"profiling": False}, {"user_id": "anonymous"}):
        refused = _ask(house, key, **body)
        assert (refused.status_code, refused.headers[ALLOWED]) == (403, SHOP), body
        assert "X-User-Token" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"sub": "bob"}, "is of 'bob', not of 'ann'"),
        ({"sub": "ann", "exp": 1}, "expired"),
        ({"sub": "ann", "exp": None}, "exp"),
        ({}, "sub"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(
    house: House, key: PublicKey, claims: dict[str, Any], said: str
) -> None:
    answer = _ask(house, key, token=_token(key, **claims))
    assert answer.status_code == 403
    assert said in answer.json()["error"]["message"]


def test_a_token_of_another_secret_or_of_none_is_refused(house: House, key: PublicKey) -> None:
    other = house.database.add_public_key("default", "other", [SHOP])
    unsigned = jwt.encode({"sub": "ann", "exp": time.time() + 60}, None, algorithm="none")
    for token in (_token(other, sub="ann"), unsigned, "x", key.key):
        assert _ask(house, key, token=token).status_code == 403


def test_a_public_key_is_for_lists_from_its_origins_only(house: House, key: PublicKey) -> None:
    for origin in (OTHER, "null", "http://shop.example", SHOP + ":8443", None):
        answer = _ask(house, key, origin, token=_token(key, sub="ann"))
        assert answer.status_code == 403, origin
        assert ALLOWED not in answer.headers
    for route in SCOPES.keys() - {"POST /v1/recommend"}:
        method, path = route.split(" ")
        answer = house.client.request(method, path, headers={**bearer(key.key), "Origin": SHOP})
        assert answer.status_code == 403, route
    prompt = _ask(house, key, token=_token(key, sub="ann"), prompt="production")
    assert "leave prompt out" in prompt.json()["error"]["message"]


def test_keys_with_scopes_are_for_no_page(house: House, key: PublicKey) -> None:
    answer = house.client.post("/v1/recommend", json={"user_id": "ann"}, headers={"Origin": SHOP})
    assert answer.status_code == 200  # a server may send what it likes
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_browser_is_told_before_it_asks(house: House, key: PublicKey) -> None:
    asked = {"Authorization": "", **PREFLIGHT}
    answer = house.client.options("/v1/recommend", headers={**asked, "Origin": SHOP})
    assert (answer.status_code, answer.headers[ALLOWED]) == (204, SHOP)
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "X-User-Token" in answer.headers["access-control-allow-headers"]
    for path, origin in (("/v1/recommend", OTHER), ("/v1/users/ann/export", SHOP), ("/v1/mcp", SHOP)):
        refused = house.client.options(path, headers={**asked, "Origin": origin})
        assert refused.status_code in {401, 403}, path
        assert ALLOWED not in refused.headers
    house.database.revoke_key("default", "shop-window")
    assert house.client.options("/v1/recommend", headers={**asked, "Origin": SHOP}).status_code == 403


def test_a_browser_may_read_that_its_page_asks_too_often(open_house: Open) -> None:
    house = open_house(settings=Settings(rate=1))
    key = house.database.add_public_key("default", "shop-window", [SHOP])
    statuses = [_ask(house, key, token=_token(key, sub="ann")).status_code for _ in range(2)]
    assert statuses == [200, 429]
    answer = _ask(house, key)
    assert answer.headers[ALLOWED] == SHOP
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_the_script_is_for_every_page_and_loaded_once(house: House) -> None:
    answer = house.client.get("/component/genrec-list.js", headers={"Authorization": "", "Origin": OTHER})
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers[ALLOWED] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age=3600" in answer.headers["cache-control"]
    again = house.client.get("/component/genrec-list.js", headers={"If-None-Match": 'W/"x", ' + answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_are_answered_while_the_database_cannot_be_read(house: House, key: PublicKey) -> None:
    asked = {"Authorization": "", "Origin": SHOP, **PREFLIGHT}
    signed = _token(key, sub="ann")
    assert house.client.options("/v1/recommend", headers=asked).status_code == 204
    assert _ask(house, key, token=signed).json()["warnings"] == []
    break_database(house)
    assert house.client.options("/v1/recommend", headers=asked).headers[ALLOWED] == SHOP
    answer = _ask(house, key, token=signed)
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, SHOP)
    assert MAY_LACK in answer.json()["warnings"]
    assert house.client.options("/v1/recommend", headers={**asked, "Origin": OTHER}).status_code == 403
