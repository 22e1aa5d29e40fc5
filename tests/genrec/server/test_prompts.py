"""Prompts over HTTP: tried out, kept, put to work by a label, taken back, and no stale move."""

from __future__ import annotations

from typing import Any

import pytest

from tests.genrec.server.conftest import House, Open, fill

_CRITIC = {"_system.j2": "You are a critic. Answer with a letter, or with JSON of label and reason, or a reason."}


def _draft(house: House, **files: str) -> str:
    """Keep the changed prompts: their version."""
    answer = house.client.post("/v1/prompts/general/versions", json={"files": {**_CRITIC, **files}})
    assert answer.status_code == 201, answer.text
    assert [one for one in answer.json()["findings"] if one["level"] == "error"] == []
    return str(answer.json()["version"])


def _move(house: House, version: str, at: str, label: str = "production") -> Any:
    path = f"/v1/prompts/general/labels/{label}"
    return house.client.put(path, json={"version": version}, headers={"If-Match": f'"{at}"'})


def test_the_packs_that_there_are(house: House) -> None:
    first, *others = house.client.get("/v1/prompts").json()["prompts"]
    assert (first["name"], first["served"], first["labels"]) == ("general", True, {})
    assert not any(one["served"] for one in others)
    shown = house.client.get("/v1/prompts/general").json()
    assert shown["version"] == first["version"] == house.list()["prompt"]["version"]
    assert "{% block user %}" in shown["files"]["rank.j2"]
    assert shown["templates"]["rank.j2"]["output"] == "label"
    assert house.client.get("/v1/prompts/nothing").status_code == 404


def test_a_version_answers_once_production_stands_at_it_and_no_longer_when_it_is_taken_back(house: House) -> None:
    shipped, first = house.list()["prompt"]["version"], _draft(house)
    assert house.list()["prompt"]["version"] == shipped
    moved = _move(house, first, "none")
    assert (moved.status_code, moved.headers["ETag"]) == (200, f'"{first}"')
    assert house.list()["prompt"]["version"] == first
    second = _draft(house, **{"_system.j2": f"{_CRITIC['_system.j2']} Be brief."})
    assert _move(house, second, first).status_code == 200
    assert house.list()["prompt"]["version"] == second
    path = "/v1/prompts/general/labels/production/rollback"
    assert house.client.post(path, headers={"If-Match": f'"{second}"'}).json()["version"] == first
    assert house.list()["prompt"]["version"] == first
    found = house.client.get("/v1/prompts/general/versions").json()["versions"]
    assert {one["version"]: one["labels"] for one in found} == {shipped: [], first: ["production"], second: []}
    assert house.client.post(path, headers={"If-Match": f'"{first}"'}).json()["version"] == shipped
    assert house.list()["prompt"]["version"] == shipped
    assert house.client.post(path, headers={"If-Match": f'"{shipped}"'}).status_code == 422  # there is none before


def test_a_candidate_is_asked_by_name_and_does_not_answer_others(house: House) -> None:
    shipped, version = house.list()["prompt"]["version"], _draft(house)
    assert house.client.post("/v1/recommend", json={"user_id": "ann", "prompt": "candidate"}).status_code == 404
    assert _move(house, version, "none", "candidate").status_code == 200
    for at in ("candidate", version):
        assert house.list(prompt=at)["prompt"]["version"] == version
    assert house.list(prompt=shipped)["prompt"]["version"] == shipped
    assert house.list()["prompt"]["version"] == shipped


def test_a_move_from_where_the_label_does_not_stand_is_refused_and_loses_nothing(house: House) -> None:
    first = _draft(house)
    without = house.client.put("/v1/prompts/general/labels/production", json={"version": first})
    assert (without.status_code, without.json()["error"]["code"]) == (428, "precondition_required")
    assert _move(house, first, "none").status_code == 200
    stale = _move(house, _draft(house, **{"_system.j2": _CRITIC["_system.j2"] + " No."}), "none")
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "precondition_failed")
    assert house.client.get("/v1/prompts/general/labels/production").headers["ETag"] == f'"{first}"'


def test_what_lint_or_tests_refuse_gets_no_label(house: House) -> None:
    files = {"_system.j2": "{{ 1 + 1 }} {{ instruction }}"}
    kept = house.client.post("/v1/prompts/general/versions", json={"files": files}).json()
    assert any(one["level"] == "error" for one in kept["findings"])
    refused = _move(house, kept["version"], "none")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "prompt_failed")
    assert "is not promoted: " in refused.json()["error"]["message"]
    assert house.client.get("/v1/prompts/general/labels/production").headers["ETag"] == '"none"'


def test_drafts_are_rendered_linted_and_tested_without_being_kept(house: House) -> None:
    asked = {"files": _CRITIC, "sample": "worst", "task": "list", "language": "zh"}
    rendered = house.client.post("/v1/prompts/general/render", json=asked).json()
    assert len(rendered["rendered"]["tokens"]) == len(rendered["rendered"]["messages"])
    english = house.client.post("/v1/prompts/general/render", json={"files": _CRITIC}).json()
    assert english["rendered"]["messages"][0]["content"].startswith("You are a critic.")
    assert house.client.post("/v1/prompts/general/lint", json={}).json()["findings"] == []
    tested = house.client.post("/v1/prompts/general/test", json={"files": {"_user.j2": "nobody"}}).json()
    assert tested["passed"] is False
    assert house.client.post("/v1/prompts/general/test", json={}).json()["passed"] is True
    assert len(house.client.get("/v1/prompts/general/versions").json()["versions"]) == 1


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"files": {"rank.j2": None}}, 422, "has no rank.j2"),
        ({"files": {"../rank.j2": "x"}}, 422, "general/../rank.j2: a template is called"),
        ({"files": {"_system.j2": "{% if %}"}}, 422, "general/_system.j2, line 1: does not compile"),
        ({"files": {"_system.j2": "{{ 'a' * 9 }}"}}, 422, "general/_system.j2, line 1: does not render"),
        ({"files": {"_system.j2": "x" * 20_001}}, 422, "20001 characters: 20000 are the most"),
        ({"at": "candidate"}, 404, "label 'candidate' of 'general' stands nowhere"),
        ({"at": "0123456789ab"}, 404, "no version '0123456789ab'"),
        ({"sample": "../../movies/samples/regular"}, 422, "has no sample '../../movies/samples/regular'"),
    ],
)
def test_what_cannot_be_rendered_is_said(house: House, asked: dict[str, Any], status: int, message: str) -> None:
    answer = house.client.post("/v1/prompts/general/render", json=asked)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_tenants_have_prompts_of_their_own(open_house: Open) -> None:
    house = open_house()
    fill(house.database.create_tenant("other"))
    version = _draft(house)
    assert _move(house, version, "none").status_code == 200
    theirs = house.key("read", "write", "admin", tenant="other")
    assert house.client.get("/v1/prompts/general", params={"at": version}, headers=theirs).status_code == 404
    assert house.client.get("/v1/prompts/general", headers=theirs).json()["labels"] == {}
    assert house.client.post("/v1/recommend", json={"user_id": "ann"}, headers=theirs).json()["prompt"] != version
