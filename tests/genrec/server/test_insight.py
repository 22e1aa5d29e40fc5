"""Why, over HTTP; and documents in order."""

from __future__ import annotations

from typing import Any

import pytest

from genrec import EngineError
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import House, Open

DOCUMENTS = ["Black coffee, roasted dark", {"text": "Green tea\nfrom the hills"}, "A chair", "Tea and coffee"]


def test_what_is_alike(standing_house: House) -> None:
    found = standing_house.client.get("/v1/items/green-tea/similar", params={"n": 2}).json()
    assert [row["item_id"] for row in found["similar"]] == ["black-tea", "oolong-tea"]
    assert all(row["why"] and row["signals"] for row in found["similar"])
    assert standing_house.client.get("/v1/items/nothing/similar").status_code == 404


def test_an_explanation_is_what_python_gives(standing_house: House) -> None:
    asked = {"user_id": "ann", "item_id": "black-tea", "language": "zh"}
    found = standing_house.client.post("/v1/explain", json=asked).json()
    assert found["reason"]["text"]
    assert sum(found["signals"].values()) == pytest.approx(found["score"])
    assert standing_house.client.post("/v1/explain", json={**asked, "item_id": "nothing"}).status_code == 404


def test_why_not(standing_house: House) -> None:
    found = standing_house.client.post("/v1/why-not", json={"user_id": "ann", "item_id": "green-tea"}).json()
    assert found["excluded"] == "seen"
    assert "met it already" in found["text"]


def test_what_an_item_owes_its_place_to(standing_house: House) -> None:
    asked = {"user_id": "ann", "item_id": "espresso", "context": {"place": "Delft"}, "instruction": "coffee to drink"}
    found = standing_house.client.post("/v1/influences", json=asked).json()
    assert sum(one["value"] for one in found["influences"]) == pytest.approx(found["score"])
    [said] = [one for one in found["influences"] if one["type"] == "instruction"]
    unasked = standing_house.client.post("/v1/influences", json={**asked, "instruction": ""}).json()
    assert said["without"] == unasked["rank"]
    nobody = standing_house.client.post("/v1/influences", json={**asked, "profiling": False}).json()
    assert {one["type"] for one in nobody["influences"]} <= {"context", "instruction", "item"}
    assert standing_house.client.post("/v1/influences", json={**asked, "item_id": "nothing"}).status_code == 404


def test_what_decides_is_said_in_plain_words(standing_house: House) -> None:
    said = standing_house.client.get("/v1/parameters").json()
    assert said["share"] == {"weight": 1.0, "origin": "configured"}
    assert all({"name", "weight", "meaning"} == signal.keys() for signal in said["signals"])
    assert said["unprofiled"]["en"].startswith("Ask with profiling: false")


def _rerank(house: House, **more: Any) -> Any:
    return house.client.post("/v1/rerank", json={"query": "green tea", "documents": DOCUMENTS, **more})


def test_documents_come_in_order_with_scores(open_house: Open) -> None:
    house = open_house(model_weight=0.0)
    answer = _rerank(house, return_documents=True, model="any").json()
    results = answer["results"]
    assert results[0]["index"] == 1
    assert results[0]["document"] == {"text": "Green tea\nfrom the hills"}
    assert sorted(row["index"] for row in results) == [0, 1, 2, 3]
    scores = [row["relevance_score"] for row in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert (answer["model"], answer["fallback"]) == ("scripted", None)
    assert answer["usage"]["prompt_tokens"] > 0
    assert len(_rerank(house, top_n=2).json()["results"]) == 2
    assert _rerank(house, top_n=2).json()["results"][0]["document"] is None


def test_the_model_orders_documents_too(open_house: Open) -> None:
    house = open_house(ScriptedEngine(scores=lambda label: float(ord(label))))
    order = [row["index"] for row in _rerank(house).json()["results"]]
    house = open_house(ScriptedEngine(scores=lambda label: -float(ord(label))))
    assert [row["index"] for row in _rerank(house).json()["results"]] == order[::-1]


def test_an_order_without_the_model_says_so(open_house: Open) -> None:
    answer = _rerank(open_house(ScriptedEngine(error=EngineError("down")))).json()
    assert answer["fallback"] == {"stage": "rank", "cause": "EngineError: down"}
    assert answer["results"][0]["index"] == 1


def test_nothing_of_documents_is_kept(open_house: Open) -> None:
    house = open_house(empty=True)
    vectors = [path.stat().st_mtime_ns for path in house.path.parent.rglob("vectors.sqlite*")]
    assert _rerank(house).status_code == 200
    assert [path.stat().st_mtime_ns for path in house.path.parent.rglob("vectors.sqlite*")] == vectors
    assert house.client.get("/v1/items").json()["items"] == []
    assert house.client.get("/v1/users").json()["users"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"query": "", "documents": ["a"]},
        {"query": "x", "documents": []},
        {"query": "x", "documents": [""]},
        {"query": "x", "documents": ["a"] * 201},
        {"query": "x", "documents": ["a"], "top_n": 0},
        {"query": "x", "documents": [{"title": "a"}]},
    ],
)
def test_documents_that_cannot_be_ordered(standing_house: House, body: dict[str, Any]) -> None:
    assert standing_house.client.post("/v1/rerank", json=body).status_code == 422


def test_one_document_and_blank_ones(standing_house: House) -> None:
    assert [row["index"] for row in _rerank(standing_house, documents=["one"]).json()["results"]] == [0]
    assert len(_rerank(standing_house, documents=["  ", "\n\n", "one"]).json()["results"]) == 3
    assert len(_rerank(standing_house, documents=["same text"] * 60).json()["results"]) == 60
