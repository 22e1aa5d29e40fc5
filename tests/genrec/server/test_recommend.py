"""Lists over HTTP: the same as in Python, kept, gone on with, many at once, without profiling."""

from __future__ import annotations

from genrec import Recommendation
from tests.genrec.server.conftest import House


def test_a_list_is_what_python_gives(house: House) -> None:
    answer = house.client.post("/v1/recommend", json={"user_id": "ann", "n": 3})
    assert answer.status_code == 200
    found = Recommendation.model_validate_json(answer.text)
    assert found.model_dump_json() == answer.text
    assert [item.reason is not None for item in found.items] == [True] * 3
    assert house.client.get(f"/v1/recommendations/{found.id}").text == answer.text
