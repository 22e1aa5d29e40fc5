"""Keys, scopes and tenants: nobody reads or writes what is not theirs, on any route."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from genrec.server.access import Bucket, Needs
from genrec.server.app import create_app
from genrec.server.settings import Settings
from tests.genrec.server.conftest import ALL, House, Open, bearer, fill

SCOPES = {
    "POST /v1/recommend": "read",
    "POST /v1/recommend/batch": "read",
    "GET /v1/recommendations/{recommendation_id}": "read",
    "GET /v1/recommendations/{recommendation_id}/next": "read",
    "POST /v1/rerank": "read",
    "POST /v1/events": "write",
    "DELETE /v1/events/{event_id}": "write",
    "POST /v1/feedback": "write",
    "GET /v1/items": "read",
    "POST /v1/items/batch": "write",
    "GET /v1/items/{item_id}": "read",
    "PUT /v1/items/{item_id}": "write",
    "PATCH /v1/items/{item_id}": "write",
    "DELETE /v1/items/{item_id}": "write",
    "GET /v1/items/{item_id}/similar": "read",
    "GET /v1/users": "read",
    "POST /v1/users/batch": "write",
    "GET /v1/users/{user_id}": "read",
    "PUT /v1/users/{user_id}": "write",
    "GET /v1/users/{user_id}/withheld": "read",
    "PUT /v1/users/{user_id}/withheld": "write",
    "PATCH /v1/users/{user_id}": "write",
    "DELETE /v1/users/{user_id}": "admin",
    "GET /v1/users/{user_id}/export": "admin",
    "POST /v1/explain": "read",
    "POST /v1/why-not": "read",
    "POST /v1/influences": "read",
    "GET /v1/parameters": "read",
    "GET /v1/prompts": "read",
    "GET /v1/prompts/{name}": "read",
    "GET /v1/prompts/{name}/versions": "read",
    "POST /v1/prompts/{name}/versions": "admin",
    "POST /v1/prompts/{name}/render": "read",
    "POST /v1/prompts/{name}/lint": "read",
    "POST /v1/prompts/{name}/test": "read",
    "GET /v1/prompts/{name}/labels/{label}": "read",
    "PUT /v1/prompts/{name}/labels/{label}": "admin",
    "POST /v1/prompts/{name}/labels/{label}/rollback": "admin",
    "GET /v1/contest": "admin",
    "PUT /v1/contest": "admin",
    "DELETE /v1/contest": "admin",
    "GET /v1/quarantine": "admin",
    "PUT /v1/quarantine/users/{user_id}": "admin",
    "PUT /v1/quarantine/items/{item_id}": "admin",
}
BODIES: dict[str, Any] = {
    "POST /v1/recommend": {"user_id": "own-user", "n": 3},
    "POST /v1/recommend/batch": {"requests": [{"user_id": "own-user"}]},
    "POST /v1/rerank": {"query": "tea", "documents": ["tea", "coffee"]},
    "POST /v1/events": {"user_id": "new", "item_id": "own-item", "type": "view"},
    "POST /v1/feedback": {"recommendation_id": "ID", "item_id": "own-item", "verdict": "helpful"},
    "POST /v1/items/batch": {"items": [{"item_id": "x", "title": "X"}]},
    "PUT /v1/items/{item_id}": {"title": "Theirs"},
    "PATCH /v1/items/{item_id}": {"title": "Theirs"},
    "POST /v1/users/batch": {"users": [{"user_id": "x"}]},
    "PUT /v1/users/{user_id}": {"attributes": {"city": "Theirs"}},
    "PUT /v1/users/{user_id}/withheld": {"attributes": ["city"]},
    "PATCH /v1/users/{user_id}": {"attributes": {"city": "Theirs"}},
    "POST /v1/explain": {"user_id": "own-user", "item_id": "own-item"},
    "POST /v1/why-not": {"user_id": "own-user", "item_id": "own-item"},
    "POST /v1/influences": {"user_id": "own-user", "item_id": "own-item"},
    "POST /v1/prompts/{name}/versions": {"files": {"_more.j2": "x"}},
    "POST /v1/prompts/{name}/render": {"sample": "worst"},
    "POST /v1/prompts/{name}/lint": {"at": "production"},
    "POST /v1/prompts/{name}/test": {"at": "production"},
    "PUT /v1/prompts/{name}/labels/{label}": {"version": "0123456789ab"},
    "PUT /v1/contest": {"holdout": 0.2},
}


_OF_ONE_USER = {f"POST /v1/{name}" for name in ("recommend", "feedback", "explain", "why-not", "influences")}
_PROMPTS = {"name": "general", "label": "production"}


def routes(app: FastAPI) -> dict[str, APIRoute]:
    """Every route of the API as `METHOD /path`."""
    found = [route for route in _all(app.routes) if isinstance(route, APIRoute)]
    return {f"{m} {route.path}": route for route in found for m in route.methods if route.path.startswith("/v1/")}


def _all(given: Any) -> Any:
    for route in given:
        inner = getattr(route, "routes", None)
        if inner:
            yield from _all(inner)
        else:
            yield route


def test_every_route_needs_one_scope(standing_house: House) -> None:
    app = create_app(standing_house.service, "test")
    found = {
        name: [dep.call.scope for dep in route.dependant.dependencies if isinstance(dep.call, Needs)]
        for name, route in routes(app).items()
    }
    assert found == {name: [scope] for name, scope in SCOPES.items()}


@pytest.fixture(scope="module")
def ids() -> dict[str, str]:
    return {"item_id": "espresso", "user_id": "ann", "event_id": "e1", "recommendation_id": "unknown", **_PROMPTS}


def _call(house: House, route: str, headers: dict[str, str], ids: dict[str, str]) -> Any:
    method, path = route.split(" ")
    body = {k: ids["recommendation_id"] if v == "ID" else v for k, v in BODIES.get(route, {}).items()}
    url = re.sub(r"{(\w+)}", lambda match: ids[match[1]], path)
    return house.client.request(method, url, json=body or None, headers=headers)


@pytest.mark.parametrize("scope", ALL)
def test_a_key_does_what_its_scope_allows_and_nothing_else(house: House, scope: str, ids: dict[str, str]) -> None:
    headers = house.key(scope)
    for route, needed in SCOPES.items():
        status = _call(house, route, headers, ids).status_code
        assert (status == 403) == (needed != scope), (route, status)


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer genrec_0_nothing"}])
def test_without_a_key_nothing_is_done(standing_house: House, headers: dict[str, str], ids: dict[str, str]) -> None:
    for route in SCOPES:
        answer = _call(standing_house, route, headers, ids)
        assert answer.status_code == 401, route
        assert answer.headers["www-authenticate"] == "Bearer"
    assert standing_house.client.get("/v1/anything", headers=headers).status_code == 401


def test_a_key_may_come_in_its_own_header(standing_house: House) -> None:
    headers = {"Authorization": "", "X-Api-Key": standing_house.secret}
    assert standing_house.client.get("/v1/items", headers=headers).status_code == 200
    odd = {"Authorization": "Basic " + standing_house.secret}
    assert standing_house.client.get("/v1/items", headers=odd).status_code == 401
    assert standing_house.client.get("/v1/items", headers=bearer("x" * 300)).status_code == 401
    assert standing_house.client.get("/v1/items", headers={"Authorization": b"Bearer \xff\xe9"}).status_code == 401


def test_a_revoked_key_is_refused_at_once(house: House) -> None:
    headers = house.key("read", name="app")
    assert house.client.get("/v1/items", headers=headers).status_code == 200
    house.database.revoke_key("default", "app")
    assert house.client.get("/v1/items", headers=headers).status_code == 401


def test_no_route_gives_or_changes_what_is_another_tenants(house: House) -> None:
    """Every route with the ids of another tenant: nothing of theirs comes back, nothing of theirs is changed."""
    client = house.client
    client.put("/v1/items/own-item", json={"title": "Own title"})
    client.put("/v1/users/own-user", json={"attributes": {"city": "Owntown"}})
    client.post("/v1/events", json={"user_id": "own-user", "item_id": "mocha", "type": "view", "event_id": "own-event"})
    own = {
        "item_id": "own-item",
        "user_id": "own-user",
        "event_id": "own-event",
        "recommendation_id": house.list("own-user")["id"],
        **_PROMPTS,
    }
    before = client.get("/v1/users/own-user/export").json()
    fill(house.database.create_tenant("other"))
    headers = house.key(*ALL, tenant="other")
    for route in sorted(SCOPES, key=lambda route: route.startswith("PUT")):  # a PUT makes one of their own
        answer = _call(house, route, headers, own)
        assert "Own title" not in answer.text, route
        assert "Owntown" not in answer.text, route
        if "_id}" in route and not route.startswith("PUT") and route != "DELETE /v1/users/{user_id}":
            assert answer.status_code == 404, route
        if route in _OF_ONE_USER:
            assert answer.status_code == 404, route
    theirs = {"user_id": "ann", "item_id": "mocha", "type": "view", "recommendation_id": own["recommendation_id"]}
    assert client.post("/v1/events", json=theirs, headers=headers).status_code == 404
    assert client.get("/v1/items/own-item").json()["title"] == "Own title"
    assert client.get("/v1/users/own-user/export").json() == before


def test_tenants_share_no_prefix_cache(house: House, open_house: Open) -> None:
    fill(house.database.create_tenant("other"))
    house.list()
    house.client.post("/v1/recommend", json={"user_id": "ann"}, headers=house.key("read", tenant="other"))
    assert set(house.service.engine.cache_salts) == {"default", "other"}  # type: ignore[attr-defined]


def test_a_key_that_asks_too_often_is_told_when_to_come_back(open_house: Open) -> None:
    house = open_house(settings=Settings(rate=3))
    statuses = [house.client.get("/v1/items").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = house.client.get("/v1/items")
    assert int(answer.headers["retry-after"]) in range(1, 22)
    assert answer.json()["error"]["retryable"]
    assert house.client.get("/v1/items", headers=house.key("read")).status_code == 200  # another key


def test_each_row_of_a_batch_counts(open_house: Open) -> None:
    house = open_house(settings=Settings(rate=10))
    rows = [{"user_id": "ann"}] * 11
    assert house.client.post("/v1/recommend/batch", json={"requests": rows}).status_code == 429


def test_a_bucket_fills_up_evenly() -> None:
    bucket = Bucket(600)
    assert bucket.take(600) == 0
    assert 0 < bucket.take(10) <= 1.0
    bucket._counted -= 1.0  # a second later
    assert bucket.take(10) == 0
