"""Bursts over HTTP: they count for their own users at once, for others when somebody says so."""

from __future__ import annotations

from genrec.server.settings import Settings
from retrieval.guards import Guards
from tests.genrec.server.conftest import House, Open

_GUARDS = Guards(item_fewest=3, item_share=0)


def _plant(house: House, users: int, item_id: str = "mocha") -> None:
    rows = [{"user_id": f"planted{number}", "item_id": item_id, "type": "purchase"} for number in range(users)]
    assert house.client.post("/v1/events", json={"events": rows}).status_code == 200


def _takers(house: House, item_id: str = "mocha") -> int:
    async def ask() -> int:
        recommender = await (await house.service.desk("default")).current()
        return recommender.retriever.knowledge.takers(item_id)

    portal = house.client.portal
    assert portal
    return portal.call(ask)


def test_a_burst_is_seen_by_admins_and_counts_when_it_is_released(open_house: Open) -> None:
    house = open_house(settings=Settings(guards=_GUARDS))
    _plant(house, 8)
    assert _takers(house) == 3
    [burst] = house.client.get("/v1/quarantine").json()["bursts"]
    assert (burst["kind"], burst["id"], burst["takes"], len(burst["users"])) == ("item", "mocha", 5, 5)
    assert house.client.put("/v1/quarantine/items/mocha").status_code == 204
    assert _takers(house) == 8
    assert house.client.get("/v1/quarantine").json()["bursts"] == []


def test_a_release_is_kept_when_the_item_is_put_again(open_house: Open) -> None:
    house = open_house(settings=Settings(guards=_GUARDS))
    house.client.put("/v1/quarantine/items/mocha")
    house.client.put("/v1/items/mocha", json={"title": "Mocha, again"})
    _plant(house, 8)
    assert _takers(house) == 8


def test_without_guards_everybody_counts_at_once(open_house: Open) -> None:
    house = open_house(settings=Settings(guards=None))
    _plant(house, 8)
    assert _takers(house) == 8
    assert house.client.get("/v1/quarantine").json() == {"bursts": []}


def test_a_user_in_a_burst_does_not_get_again_what_they_took(open_house: Open) -> None:
    house = open_house(settings=Settings(guards=_GUARDS))
    _plant(house, 8)
    held = house.client.get("/v1/quarantine").json()["bursts"][0]["users"][0]
    assert "mocha" not in [item["item_id"] for item in house.list(held, n=6)["items"]]
    assert any(part["type"] == "event" for item in house.list(held)["items"] for part in item["evidence"])


def test_an_erased_user_is_held_no_more(open_house: Open) -> None:
    house = open_house(settings=Settings(guards=_GUARDS))
    _plant(house, 5)
    held = house.client.get("/v1/quarantine").json()["bursts"][0]["users"]
    assert house.client.delete(f"/v1/users/{held[0]}").status_code == 200
    left = house.client.get("/v1/quarantine").json()["bursts"][0]["users"]
    assert left == held[1:]


def test_only_what_is_there_can_be_released(open_house: Open) -> None:
    house = open_house()
    assert house.client.put("/v1/quarantine/users/nobody").status_code == 404
    assert house.client.put("/v1/quarantine/items/nothing").status_code == 404
