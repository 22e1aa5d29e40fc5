"""Versions of prompts that compete over HTTP: who gets which, what counts, and that answers say so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.genrec.server.conftest import House, Open, break_database

_LABELS = "/v1/prompts/general/labels"


def _version(house: House, label: str, text: str) -> str:
    made = house.client.post("/v1/prompts/general/versions", json={"files": {"_more.j2": text}}).json()["version"]
    moved = house.client.put(f"{_LABELS}/{label}", json={"version": made}, headers={"If-Match": '"none"'})
    assert moved.status_code == 200, moved.text
    return str(made)


def _two(house: House, **settings: Any) -> dict[str, str]:
    versions = {label: _version(house, label, f"For {label}.") for label in ("production", "candidate")}
    assert house.client.put("/v1/contest", json=settings).status_code == 200
    return versions


def _lists(house: House, users: int) -> list[dict[str, Any]]:
    house.client.post("/v1/users/batch", json={"users": [{"user_id": f"u{n}"} for n in range(users)]})
    return [house.list(f"u{n}") for n in range(users)]


def _later(house: House, versions: dict[str, str]) -> dict[Any, tuple[int, int]]:
    """Lists and takes by version and holdout, as they will be seen in two days."""
    moment = datetime.now(UTC) + timedelta(days=2)
    found = house.tenant.outcomes(list(versions.values()), timedelta(days=1), moment)
    return {arm: (count.lists, count.taken) for arm, count in found.items()}


def test_nothing_competes_until_somebody_says_so(open_house: Open) -> None:
    house = open_house(explain=False)
    assert house.list()["trace"]["variant"] is None
    assert house.client.get("/v1/contest").json() == {"running": False, "settings": None, "arms": []}
    assert house.client.put("/v1/contest", json={}).json()["arms"] == []  # no label stands anywhere
    assert house.list()["trace"]["variant"] is None


def test_both_versions_answer_and_say_why(open_house: Open) -> None:
    house = open_house(explain=False)
    versions = _two(house, holdout=0.3)
    answers = _lists(house, 40)
    seen = {(a["trace"]["variant"]["label"], a["trace"]["variant"]["holdout"]) for a in answers}
    assert seen == {("production", True), ("production", False), ("candidate", False)}
    for answer in answers:
        variant = answer["trace"]["variant"]
        assert answer["prompt"]["version"] == versions[variant["label"]]
        assert variant["probability"] == (1 if variant["holdout"] else 0.5)
    arms = house.client.get("/v1/contest").json()["arms"]
    assert [(arm["version"], arm["holdout"], arm["share"]) for arm in arms] == [
        (versions["production"], False, 0.35),
        (versions["candidate"], False, 0.35),
        (versions["production"], True, 0.3),
    ]
    assert house.client.delete("/v1/contest").status_code == 204
    assert house.list()["trace"]["variant"] is None


def test_a_take_counts_for_the_version_that_made_the_list(open_house: Open) -> None:
    house = open_house(explain=False)
    versions = _two(house, holdout=0)
    answers = _lists(house, 12)
    first = next(a for a in answers if a["trace"]["variant"]["label"] == "candidate")
    event = {"user_id": first["user_id"], "item_id": first["items"][0]["item_id"], "recommendation_id": first["id"]}
    for kind in ("click", "purchase"):  # two takes of one list are one success
        assert house.client.post("/v1/events", json={**event, "type": kind}).status_code == 201
    other = next(a for a in answers if a["trace"]["variant"]["label"] == "production")
    no = {"user_id": other["user_id"], "item_id": other["items"][0]["item_id"], "recommendation_id": other["id"]}
    assert house.client.post("/v1/events", json={**no, "type": "dismiss"}).status_code == 201
    candidates = sum(a["trace"]["variant"]["label"] == "candidate" for a in answers)
    assert _later(house, versions) == {
        (versions["candidate"], False): (candidates, 1),
        (versions["production"], False): (12 - candidates, 0),
    }
    arms = house.client.get("/v1/contest").json()["arms"]
    assert [arm["lists"] for arm in arms] == [0, 0, 0]  # their time is not over


def test_who_names_a_version_or_wants_no_profile_takes_no_part(open_house: Open) -> None:
    house = open_house(explain=False)
    _two(house, holdout=0)
    assert house.list(prompt="candidate")["trace"]["variant"] is None
    assert house.list(profiling=False)["trace"]["variant"] is None


def test_a_list_that_was_streamed_is_kept_with_its_variant(open_house: Open) -> None:
    house = open_house(explain=False)
    versions = _two(house, holdout=0)
    sent = house.client.post("/v1/recommend", json={"user_id": "ann", "n": 2, "stream": True}).text
    meta = next(json.loads(line[len("data: ") :]) for line in sent.splitlines() if line.startswith("data: "))
    variant = house.client.get(f"/v1/recommendations/{meta['id']}").json()["trace"]["variant"]
    assert meta["prompt"]["version"] == versions[variant["label"]]
    assert _later(house, versions) == {(versions[variant["label"]], False): (1, 0)}


def test_an_erased_user_leaves_the_counts(open_house: Open) -> None:
    house = open_house(explain=False)
    versions = _two(house, holdout=0)
    _lists(house, 3)
    assert sum(lists for lists, _ in _later(house, versions).values()) == 3
    house.client.delete("/v1/users/u0")
    assert sum(lists for lists, _ in _later(house, versions).values()) == 2


def test_the_same_users_stay_held_out_when_settings_change(open_house: Open) -> None:
    house = open_house(explain=False)
    _two(house, holdout=0.3)
    before = [answer["trace"]["variant"]["holdout"] for answer in _lists(house, 20)]
    house.client.put("/v1/contest", json={"holdout": 0.3, "least": 0.2})
    assert [answer["trace"]["variant"]["holdout"] for answer in _lists(house, 20)] == before


def test_while_the_database_is_away_nothing_competes_and_lists_come(open_house: Open) -> None:
    house = open_house(explain=False)
    _two(house, holdout=0)
    users = [answer["user_id"] for answer in _lists(house, 8) if answer["trace"]["variant"]["label"] == "candidate"]
    assert users
    break_database(house)
    answer = house.list(users[0])
    assert answer["trace"]["variant"] is None
    assert answer["items"]
    assert any("database did not answer" in warning for warning in answer["warnings"])


def test_what_is_no_share_is_refused(house: House) -> None:
    for given in (False, "0.1", 0.6):
        assert house.client.put("/v1/contest", json={"least": given}).status_code == 422
    assert not house.client.get("/v1/contest").json()["running"]
