"""Lists over HTTP: the same as in Python, kept, gone on with, many at once, without profiling."""

from __future__ import annotations

from genrec import Item, Recommendation
from tests.genrec.server.conftest import House, Open


def test_a_list_is_what_python_gives(house: House) -> None:
    answer = house.client.post("/v1/recommend", json={"user_id": "ann", "n": 3})
    assert answer.status_code == 200
    found = Recommendation.model_validate_json(answer.text)
    assert found.model_dump_json() == answer.text
    assert [item.reason is not None for item in found.items] == [True] * 3
    assert house.client.get(f"/v1/recommendations/{found.id}").text == answer.text


def test_what_is_asked_for_is_passed_on(house: House) -> None:
    found = house.list(
        n=2,
        context={"time": "2026-11-20T08:00:00", "place": "Delft", "weather": "rain"},
        instruction="something with milk",
        filter={"where": {"category": "coffee"}, "deny": ["mocha"]},
        language="zh",
    )
    assert {item["item_id"] for item in found["items"]} == {"espresso", "filter-coffee"}
    assert "因为" in found["items"][0]["reason"]["text"] or "你" in found["items"][0]["reason"]["text"]


def test_the_next_lists_show_nothing_again_until_nothing_is_left(house: House) -> None:
    first = house.list(n=2, instruction="tea")
    shown = [item["item_id"] for item in first["items"]]
    second = house.client.get(f"/v1/recommendations/{first['id']}/next").json()
    shown += [item["item_id"] for item in second["items"]]
    third = house.client.get(f"/v1/recommendations/{second['id']}/next", params={"n": 5}).json()
    shown += [item["item_id"] for item in third["items"]]
    assert len(shown) == len(set(shown)) == 5  # all but the green tea, which ann has
    last = house.client.get(f"/v1/recommendations/{third['id']}/next").json()
    assert last["items"] == []
    assert "fewer than" in last["warnings"][0]


def test_a_batch_answers_each_row_by_itself(house: House) -> None:
    rows = [
        {"user_id": "ann", "n": 1},
        {"user_id": "nobody"},
        {"user_id": "bob", "n": 0},
        7,
        {"user_id": "new", "n": 2},
    ]
    answer = house.client.post("/v1/recommend/batch", json={"requests": rows})
    assert answer.status_code == 200
    results = answer.json()["results"]
    codes = [row["error"] and row["error"]["code"] for row in results]
    assert codes == [None, "not_found", "invalid_request", "invalid_request", None]
    assert results[2]["error"]["field"] == "n"
    assert len(results[4]["recommendation"]["items"]) == 2


def test_without_profiling_everybody_gets_the_same(house: House) -> None:
    ann, bob, nobody = (house.list(who, profiling=False, instruction="tea") for who in ("ann", "bob", "nobody"))
    assert ann["items"] == bob["items"] == nobody["items"]
    assert ann["warnings"] == []
    assert "the user is not known" in nobody["warnings"][0]  # so nothing of it is kept
    assert house.client.get(f"/v1/recommendations/{nobody['id']}").status_code == 404
    assert house.client.get(f"/v1/recommendations/{ann['id']}/next").json()["items"]


def test_an_empty_catalogue_says_the_cure_and_fills_up(open_house: Open) -> None:
    house = open_house(empty=True)
    answer = house.client.post("/v1/recommend", json={"user_id": "ann"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "empty_catalogue")
    assert "put items" in answer.json()["error"]["message"]
    assert house.client.put("/v1/items/tea", json={"title": "Tea"}).status_code == 200
    assert house.client.put("/v1/users/ann", json={"attributes": {"age": 31}}).status_code == 200
    assert [item["item_id"] for item in house.list(n=1)["items"]] == ["tea"]


def test_what_another_process_writes_is_in_the_next_list(house: House) -> None:
    house.list()
    house.tenant.put_items([Item(item_id="chai", title="Chai tea", categories=("tea",))])
    assert "chai" in {item["item_id"] for item in house.list(n=6)["items"]}
    house.tenant.delete_item("chai")
    assert "chai" not in {item["item_id"] for item in house.list(n=6)["items"]}
    house.tenant.erase_user("ann")
    assert house.client.post("/v1/recommend", json={"user_id": "ann"}).status_code == 404
