"""Items and users over HTTP."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from genrec import Item, User
from genrec.server.bodies import ItemBody, UserBody
from genrec.server.merging import merge
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open

STAND = {
    "title": "Laptop stand",
    "description": "Aluminium",
    "categories": ["Office"],
    "price": 39.5,
    "attributes": {"colour": "silver", "legs": 2, "sizes": ["s", "m"]},
    "image": "https://example.org/stand.png",
    "created_at": "2026-01-01T00:00:00Z",
}


def test_an_item_is_put_read_changed_and_removed(house: House) -> None:
    put = house.client.put("/v1/items/stand", json=STAND)
    assert put.status_code == 200
    assert put.json() == {"item_id": "stand", **STAND}
    assert house.client.get("/v1/items/stand").json() == put.json()
    assert "stand" in {item["item_id"] for item in house.list(n=7)["items"]}

    change = {"title": "Stand", "price": None, "attributes": {"legs": None, "colour": "black"}}
    patched = house.client.patch("/v1/items/stand", json=change)
    assert patched.status_code == 200
    assert (patched.json()["title"], patched.json()["price"]) == ("Stand", None)
    assert patched.json()["attributes"] == {"colour": "black", "sizes": ["s", "m"]}
    assert "Stand" in {item["title"] for item in house.list(n=7)["items"]}

    assert house.client.delete("/v1/items/stand").status_code == 204
    assert house.client.get("/v1/items/stand").status_code == 404
    assert house.client.delete("/v1/items/stand").status_code == 404
    assert "stand" not in {item["item_id"] for item in house.list(n=7)["items"]}


def test_merge_patch_of_its_media_type(house: House) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = house.client.patch("/v1/users/ann", content='{"attributes": {"city": null}}', headers=headers)
    assert answer.json() == {"user_id": "ann", "attributes": {"age": 31}}


@pytest.mark.parametrize(
    ("value", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a"], ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merging_is_that_of_the_rfc(value: object, patch: object, merged: object) -> None:
    assert merge(value, patch) == merged  # the cases of RFC 7396, appendix A


def test_a_patch_that_leaves_no_item_changes_nothing(house: House) -> None:
    answer = house.client.patch("/v1/items/mocha", json={"title": None})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "title")
    assert house.client.patch("/v1/items/mocha", json={"item_id": "latte"}).status_code == 422
    assert house.client.get("/v1/items/mocha").json()["title"] == "Mocha"


@pytest.mark.parametrize("item_id", ["a/b", "a/similar", "?", "%2F", "东西", "a b", "..x", "batch", "#"])
def test_any_id_can_be_named(standing_house: House, item_id: str) -> None:
    path = f"/v1/items/{quote(item_id, safe='')}"
    assert standing_house.client.put(path, json={"title": "Odd"}).json()["item_id"] == item_id
    assert standing_house.client.get(path).json()["item_id"] == item_id
    assert standing_house.client.get(f"{path}/similar").json()["item_id"] == item_id
    assert standing_house.client.delete(path).status_code == 204


def test_items_come_page_by_page(house: House) -> None:
    seen, after = [], ""
    while True:
        page = house.client.get("/v1/items", params={"after": after, "limit": 4}).json()
        seen += [item["item_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == sorted(item.item_id for item in house.tenant.items())


def test_many_items_at_once_each_by_itself(house: House) -> None:
    rows = [
        {"item_id": "a", "title": "A"},
        {"title": "no id"},
        {"item_id": "b"},
        {"item_id": "a", "title": "again"},
        {"item_id": "c", "title": "C", "weight": 3},
        "text",
        {"item_id": 7, "title": "A number"},
    ]
    results = house.client.post("/v1/items/batch", json={"items": rows}).json()["results"]
    assert [row.get("id") for row in results] == ["a", None, None, None, None, None, "7"]
    assert [row.get("error", {}).get("code") for row in results[1:6]] == [
        "invalid_data",
        "invalid_request",
        "invalid_data",
        "invalid_request",
        "invalid_request",
    ]
    assert house.client.get("/v1/items/a").json()["title"] == "A"
    assert {"a", "7"} <= {item["item_id"] for item in house.list(n=10)["items"]}


def test_users_are_put_changed_listed_exported_and_erased(house: House) -> None:
    assert house.client.put("/v1/users/cas", json={"attributes": {"city": "Oslo"}}).json() == {
        "user_id": "cas",
        "attributes": {"city": "Oslo"},
    }
    assert house.client.patch("/v1/users/cas", json={"attributes": {"age": 40}}).json()["attributes"] == {
        "city": "Oslo",
        "age": 40,
    }
    rows = [{"user_id": "dee", "attributes": {"age": 9}}, {"attributes": {}}]
    results = house.client.post("/v1/users/batch", json={"users": rows}).json()["results"]
    assert [row.get("id") for row in results] == ["dee", None]
    assert house.client.get("/v1/users/dee").json()["attributes"] == {"age": 9}
    listed = house.client.get("/v1/users", params={"limit": 2}).json()
    assert ([user["user_id"] for user in listed["users"]], listed["next"]) == (["ann", "bob"], "bob")

    house.client.post("/v1/events", json={"user_id": "cas", "item_id": "mocha", "type": "view"})
    answer = house.list("cas")
    held = house.client.get("/v1/users/cas/export").json()
    assert answer["id"] in str(held["recommendations"])
    assert "mocha" in str(held["events"])

    erased = house.client.delete("/v1/users/cas")
    assert erased.json() == {"users": 1, "items": 0, "events": 1, "recommendations": 1, "feedback": 0, "adapters": []}
    assert house.client.get("/v1/users/cas").status_code == 404
    assert house.client.get(f"/v1/recommendations/{answer['id']}").status_code == 404
    assert house.client.post("/v1/recommend", json={"user_id": "cas"}).status_code == 404
    assert house.client.get("/v1/users/cas/export").status_code == 404
    again = house.client.delete("/v1/users/cas").json()
    assert not any(again.values())
    assert b"Oslo" not in b"".join(file.read_bytes() for file in house.path.parent.glob(f"{house.path.name}*"))


def test_bodies_know_the_fields_of_what_they_become() -> None:
    assert set(ItemBody.model_fields) == set(Item.model_fields)
    assert set(UserBody.model_fields) == set(User.model_fields)


def test_a_withheld_attribute_is_kept_and_used_by_nobody(open_house: Open) -> None:
    engine = ScriptedEngine()
    house = open_house(engine)

    def said() -> str:
        engine.prompts.clear()
        house.list("ann")
        return str(engine.prompts)

    assert "Delft" in said()
    assert house.client.put("/v1/users/ann/withheld", json={"attributes": ["city", "city"]}).json() == {
        "attributes": ["city"]
    }
    house.list("ann")
    engine.prompts.clear()
    assert "Delft" not in said()
    assert "age" in said()
    house.client.put("/v1/users/ann", json={"attributes": {"age": 31, "city": "Delft"}})  # as a nightly import does
    assert "Delft" not in said()
    assert house.client.get("/v1/users/ann").json()["attributes"]["city"] == "Delft"
    assert house.client.get("/v1/users/ann/withheld").json() == {"attributes": ["city"]}
    assert json.loads(house.tenant.export_user("ann")["users"][0]["withheld"]) == ["city"]
    house.client.put("/v1/users/ann/withheld", json={"attributes": []})
    assert "Delft" in said()


def test_what_was_counted_with_a_withheld_attribute_counts_no_more(open_house: Open) -> None:
    house = open_house()
    house.client.put("/v1/users/new", json={"attributes": {"city": "Delft"}})

    def because_of_city() -> bool:
        found = house.client.post("/v1/explain", json={"user_id": "new", "item_id": "green-tea"}).json()
        return found["signals"].get("attribute", 0) > 0

    assert because_of_city()  # ann of Delft bought it
    house.client.put("/v1/users/ann/withheld", json={"attributes": ["city"]})
    assert not because_of_city()


def test_nothing_is_withheld_for_those_who_are_not_there(house: House) -> None:
    assert house.client.put("/v1/users/nobody/withheld", json={"attributes": ["age"]}).status_code == 404
    assert house.client.get("/v1/users/nobody/withheld").status_code == 404
    assert house.client.put("/v1/users/ann/withheld", json={"attributes": ["a\0"]}).status_code == 422
