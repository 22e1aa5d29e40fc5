"""What goes wrong: one status and code for each class of error, one body, nothing of what is inside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from genrec import errors
from genrec.errors import GenrecError
from genrec.server import failures
from genrec.server.failures import RateLimited, TooLarge, problem, respond, status_of
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open

_DEEP = b'{"attributes": ' + b'{"a": ' * 400 + b"1" + b"}" * 401
EVERY_ERROR = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GenrecError)]


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (errors.DataError("x"), 422, "invalid_data", False),
        (errors.NotFound("x"), 404, "not_found", False),
        (errors.Conflict("x"), 409, "conflict", False),
        (failures.EmptyCatalogue("x"), 409, "empty_catalogue", False),
        (errors.PromptError("x"), 422, "prompt_failed", False),
        (errors.StoreError("x"), 503, "store_unavailable", True),
        (errors.EngineBusy("x"), 503, "busy", True),
        (errors.EngineTimeout("x"), 504, "timeout", True),
        (errors.EngineError("x"), 503, "engine_unavailable", True),
        (errors.ModelError("x"), 503, "engine_unavailable", True),
        (errors.AnswerError("x"), 502, "unusable_answer", False),
        (failures.Unauthenticated("x"), 401, "unauthenticated", False),
        (failures.Forbidden("x"), 403, "forbidden", False),
        (RateLimited("x", 3.2), 429, "rate_limited", True),
        (TooLarge(5), 413, "too_large", False),
        (HTTPException(404), 404, "unknown_route", False),
        (HTTPException(405), 405, "method_not_allowed", False),
        (KeyError("secret"), 500, "internal", False),
    ],
)
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str, retryable: bool) -> None:
    found = problem(error)
    assert (status_of(error), found.code, found.retryable) == (status, code, retryable)
    assert "secret" not in found.message
    answer = respond(error)
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    assert json.loads(bytes(answer.body))["error"]["code"] == code


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_no_error_of_ours_is_unforeseen(kind: type[GenrecError]) -> None:
    assert kind is GenrecError or status_of(kind("x")) != 500


def test_the_wait_of_a_rate_is_said_in_whole_seconds() -> None:
    assert respond(RateLimited("x", 3.2)).headers["retry-after"] == "4"


def _post(house: House, body: bytes | str, path: str = "/v1/recommend") -> Any:
    return house.client.post(path, content=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"ann"',
        b"\xff\xfe",
        b'{"user_id": "ann", "n": 1e400}',
        b'{"user_id": "ann", "n": NaN}',
        b'{"user_id": "ann", "n": ' + b"9" * 5000 + b"}",
        b'{"user_id": "ann", "n": "many"}',
        b'{"user_id": "ann", "n": 201}',
        b'{"user_id": "ann", "n": -1}',
        b'{"user_id": ""}',
        b'{"user_id": null}',
        b'{"user_id": {}}',
        b'{"user_id": "a\\u0000b"}',
        b'{"user_id": "\\ud800"}',
        b'{"user_id": "ann", "instruction": "\\udfff"}',
        b'{"user_id": "ann", "context": {"pl\\u0000ce": "x"}}',
        b'{"user_id": "ann", "context": {"place": {"deep": 1}}}',
        b'{"user_id": "ann", "context": {"time": "9999-12-31T23:59:59"}}',
        b'{"user_id": "ann", "context": {"weight": 1e999}}',
        b'{"user_id": "ann", "filter": {"where": {"price": {"low": 3, "high": 1}}}}',
        b'{"user_id": "ann", "filter": {"where": {"price": ' + b"[" * 50 + b"]" * 50 + b"}}}",
        b'{"user_id": "ann", "unknown": 1}',
        b'{"user_id": "ann", "language": "xx"}',
        b"[" * 100_000,
        json.dumps({"user_id": "u" * 257}).encode(),
        json.dumps({"user_id": "ann", "instruction": "i" * 2001}).encode(),
        json.dumps({"user_id": "ann", "filter": {"deny": ["x"] * 10_001}}).encode(),
    ],
)
def test_what_cannot_be_used_is_refused_and_named(standing_house: House, body: bytes) -> None:
    answer = _post(standing_house, body)
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert error["code"] == "invalid_request"
    assert error["message"]
    assert error["trace_id"] == answer.headers["x-trace-id"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "a\\u0000"}',
        b'{"title": "\\ud83d"}',
        b'{"title": " "}',
        b'{"title": "x", "price": -1}',
        b'{"title": "x", "price": 1e400}',
        b'{"title": "x", "attributes": {"a": ' + b"9" * 400 + b"}}",
        b'{"title": "x", "attributes": {"a": {"b": 1}}}',
        b'{"title": "x", "categories": 5}',
        b'{"title": "x", "created_at": "0001-01-01"}',
        json.dumps({"title": "t" * 1001}).encode(),
        json.dumps({"title": "t", "description": "d" * 20_001}).encode(),
    ],
)
def test_items_that_cannot_be_kept_are_refused(standing_house: House, body: bytes) -> None:
    answer = standing_house.client.put("/v1/items/x", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert standing_house.client.get("/v1/items/x").status_code == 404


@pytest.mark.parametrize("path", ["%00", "%ED%A0%80", "%FF", "x" * 257, "%F0%9F"])
@pytest.mark.parametrize("kind", ["items", "users", "recommendations"])
def test_odd_ids_in_paths_are_refused(standing_house: House, kind: str, path: str) -> None:
    assert standing_house.client.get(f"/v1/{kind}/{path}").status_code in {404, 422}
    assert standing_house.client.get(f"/v1/items?after={path}").status_code in {200, 422}


def test_a_patch_is_looked_at_too(standing_house: House) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b'{"attributes": {"a": "\\ud800"}}', b'{"price": 1e400}', b'{"title": "\\u0000"}', b"[]", b"{", _DEEP):
        assert standing_house.client.patch("/v1/items/mocha", content=body, headers=headers).status_code == 422


def test_the_field_that_is_wrong_is_named(standing_house: House) -> None:
    answer = standing_house.client.post("/v1/events", json={"user_id": "ann", "type": "view"})
    assert answer.json()["error"]["field"] == "item_id"
    assert answer.json()["error"]["message"] == "field 'item_id' is missing"
    answer = _post(standing_house, '{"user_id": "ann", "n": 0}')
    assert answer.json()["error"]["message"].startswith("field 'n' is 0: ")


def test_what_nobody_foresaw_says_nothing_but_a_trace_id(open_house: Open) -> None:
    house = open_house(ScriptedEngine(error=RuntimeError("password=hunter2")))
    answer = house.client.post("/v1/recommend", json={"user_id": "ann"})
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["error"] == {
        "code": "internal",
        "message": "the service failed: the trace id finds the cause in its log",
        "field": None,
        "trace_id": answer.headers["x-trace-id"],
        "retryable": False,
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PUT", "/v1/recommend", 405)])
def test_unknown_routes_have_the_same_body(standing_house: House, method: str, path: str, status: int) -> None:
    answer = standing_house.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["trace_id"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/items/mocha", "DELETE, GET, PATCH, PUT"),
        ("/v1/recommend", "POST"),
        ("/v1/prompts/general/versions", "GET, POST"),
    ],
)
def test_a_wrong_method_names_those_of_all_routes_of_the_path(standing_house: House, path: str, allowed: str) -> None:
    answer = standing_house.client.options(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": True},
        {"n": "3"},
        {"instruction": 5},
        {"profiling": 0},
        {"context": {"time": 0}},
        {"context": {"time": "0"}},
        {"filter": {"where": {"price": {"high": False}}}},
    ],
)
def test_nothing_is_taken_for_what_it_is_not(standing_house: House, wrong: dict[str, Any]) -> None:
    answer = standing_house.client.post("/v1/recommend", json={"user_id": "ann", **wrong})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_numbers_are_ids_where_they_are_whole(house: House) -> None:
    assert house.client.put("/v1/items/7", json={"item_id": 7.0, "title": "Seven"}).status_code == 200
    event = {"user_id": 5, "item_id": 7, "type": "view"}
    assert house.client.post("/v1/events", json=event).status_code == 201
    assert house.client.post("/v1/events", json={**event, "item_id": 7.5}).status_code == 422


def test_one_bad_row_refuses_nothing_else(house: House) -> None:
    rows = [
        {"item_id": "x", "title": "X"},
        {"item_id": "y", "title": "\0"},
        2**60,
        {"item_id": "z", "title": "Z", "categories": [[{}]]},
    ]
    answer = house.client.post("/v1/items/batch", json={"items": rows})
    assert [row.get("id") for row in answer.json()["results"]] == ["x", None, None, None]
