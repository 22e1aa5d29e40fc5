"""The audit must not pass what is not sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eval.audit import problems, read_answers, summary
from genrec import DataError
from tests.conftest import Scripted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_id": "green-tea"}, "item green-tea was seen before"),
        ({"item_id": "nowhere"}, "item nowhere has no label"),
        ({"evidence": ()}, "has no evidence"),
    ],
)
def test_what_is_not_sound_is_found(scripted: Scripted, change: dict[str, Any], message: str) -> None:
    recommender = scripted()
    answer = recommender.recommend("ann", 3)
    assert problems(answer, recommender.store, 3) == []
    broken = answer.model_copy(update={"items": (answer.items[0].model_copy(update=change), *answer.items[1:])})
    assert any(message in problem for problem in problems(broken, recommender.store, 3))
    assert summary([answer, broken], recommender.store, 3)["sound"] == 1


def test_evidence_that_was_not_in_the_prompt_is_found(scripted: Scripted) -> None:
    recommender = scripted()
    answer = recommender.recommend("ann", 1)
    recommender.store._events["ann"].clear()
    assert any("was not in the prompt" in problem for problem in problems(answer, recommender.store, 1))


def test_answers_are_read_back_and_a_bad_line_is_named(scripted: Scripted, tmp_path: Path) -> None:
    answer = scripted().recommend("ann", 1)
    path = tmp_path / "answers.jsonl"
    path.write_text(answer.model_dump_json() + "\n", encoding="utf-8")
    assert list(read_answers(path)) == [answer]
    path.write_text(answer.model_dump_json() + "\n{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: not an answer"):
        list(read_answers(path))


def test_repeated_and_missing_items_are_found(scripted: Scripted) -> None:
    recommender = scripted()
    answer = recommender.recommend("ann", 2)
    twice = answer.model_copy(update={"items": (answer.items[0], answer.items[0])})
    assert any("is there twice" in problem for problem in problems(twice, recommender.store, 2))
    assert problems(answer, recommender.store, 3) == ["2 items, not 3"]
