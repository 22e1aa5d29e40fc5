"""Events over HTTP: on disk once, in the next list, gone when they are to be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from genrec import Event
from genrec.server.bodies import EventBody
from tests.genrec.server.conftest import House

TAKE = {"user_id": "new", "item_id": "espresso", "type": "purchase"}


def _send(house: House, **more: Any) -> Any:
    return house.client.post("/v1/events", json={**TAKE, **more})


def test_an_event_is_on_disk_and_in_the_next_list(house: House) -> None:
    before = house.list("new", n=6)
    assert "espresso" in {item["item_id"] for item in before["items"]}
    answer = _send(house)
    assert answer.status_code == 201
    [stored] = house.tenant.history("new", 10)
    assert stored.event_id == answer.json()["event_id"]
    assert stored.timestamp is not None
    after = house.list("new", n=5)
    assert "espresso" not in {item["item_id"] for item in after["items"]}
    cited = [part for item in after["items"] for part in item["evidence"] if part["type"] == "event"]
    assert any("Espresso" in part["text"] and "today" in part["text"] for part in cited)


def test_an_event_of_an_unknown_user_makes_them_known(house: House) -> None:
    assert _send(house, user_id="eve").status_code == 201
    assert house.client.get("/v1/users/eve").status_code == 200
    assert house.list("eve")["items"]


def test_the_same_event_again_is_answered_the_same_and_kept_once(house: House) -> None:
    first, again = _send(house, event_id="e1"), _send(house, event_id="e1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == {"event_id": "e1"}
    assert len(house.tenant.history("new", 10)) == 1
    assert "genrec_events_acknowledged_total 1.0" in house.client.get("/metrics").text


def test_one_id_for_two_events_is_a_conflict(house: House) -> None:
    _send(house, event_id="e1")
    for other in ({"type": "view"}, {"item_id": "mocha"}, {"user_id": "bob"}, {"timestamp": "2026-11-01T00:00:00Z"}):
        answer = _send(house, event_id="e1", **other)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict"), other
    assert len(house.tenant.history("new", 10)) == 1


def test_threads_that_send_one_event_all_succeed_and_one_is_kept(house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _send(house, event_id="e1"), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len(house.tenant.history("new", 20)) == 1


def test_many_events_each_by_itself(house: House) -> None:
    given = house.list("new")
    rows = [
        {**TAKE, "event_id": "e1"},
        {**TAKE, "item_id": "nothing"},
        {**TAKE, "type": ""},
        {**TAKE, "event_id": "e1"},
        {**TAKE, "event_id": "e1", "type": "view"},
        {**TAKE, "item_id": "mocha", "recommendation_id": given["id"]},
        {**TAKE, "item_id": "mocha", "recommendation_id": "unknown"},
        [],
    ]
    answer = house.client.post("/v1/events", json={"events": rows})
    assert answer.status_code == 200
    results = answer.json()["results"]
    codes = [row.get("error", {}).get("code") for row in results]
    assert codes == [None, "not_found", "invalid_request", None, "conflict", None, "not_found", "invalid_request"]
    assert [row.get("repeated") for row in (results[0], results[3], results[5])] == [False, True, False]
    assert len(house.tenant.history("new", 10)) == 2


def test_a_forgotten_event_counts_no_more(house: House) -> None:
    _send(house, event_id="e1")
    assert "espresso" not in {item["item_id"] for item in house.list("new", n=6)["items"]}
    assert house.client.delete("/v1/events/e1").status_code == 204
    assert "espresso" in {item["item_id"] for item in house.list("new", n=6)["items"]}
    assert house.client.delete("/v1/events/e1").status_code == 404


def test_an_event_of_the_future_is_refused(house: House) -> None:
    answer = _send(house, timestamp="2999-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "timestamp")


def test_feedback_is_on_reasons_that_were_given(house: House) -> None:
    given = house.list()
    told = {"recommendation_id": given["id"], "item_id": given["items"][0]["item_id"], "verdict": "wrong"}
    assert house.client.post("/v1/feedback", json=told).status_code == 204
    assert house.client.post("/v1/feedback", json={**told, "verdict": "helpful"}).status_code == 204
    assert house.client.post("/v1/feedback", json={**told, "item_id": "green-tea"}).status_code == 404
    assert house.client.post("/v1/feedback", json={**told, "verdict": "odd"}).status_code == 422
    [kept] = house.client.get("/v1/users/ann/export").json()["feedback"]
    assert kept["verdict"] == "helpful"


def test_a_body_knows_the_fields_of_an_event() -> None:
    assert set(EventBody.model_fields) == {*Event.model_fields, "recommendation_id"}
