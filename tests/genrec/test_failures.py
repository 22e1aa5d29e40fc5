"""Every way in which the model can fail: the answer must still come, and must say what failed.

Each test holds a check that fails if the fallback is silent.
"""

from __future__ import annotations

import json
import math

import pytest

from genrec import AnswerError, EngineError, EngineTimeout, Recommendation
from genrec.testing import ScriptedEngine
from tests.conftest import Scripted


def _is_the_retrievers(answer: Recommendation) -> bool:
    """The retriever's order, marked as such, without reasons."""
    order = sorted(answer.trace.candidates, key=lambda candidate: -candidate.retrieval_score)
    return (
        [item.item_id for item in answer.items] == [candidate.item_id for candidate in order][: len(answer.items)]
        and all(item.source == "retrieval" and item.score_kind == "retrieval" for item in answer.items)
        and all(item.reason is None for item in answer.items)
    )


def _entry(label: str) -> dict[str, str]:
    return {"label": label, "reason": ""}


@pytest.mark.parametrize("strategy", ["labels", "json"])
def test_a_model_that_is_down(scripted: Scripted, strategy: str) -> None:
    recommender = scripted(ScriptedEngine(error=EngineError("connection refused")), strategy=strategy)
    answer = recommender.recommend("ann", 3)
    assert answer.fallback is not None
    assert (answer.fallback.stage, answer.fallback.cause) == ("rank", "EngineError: connection refused")
    assert len(answer.items) == 3
    assert _is_the_retrievers(answer)


@pytest.mark.parametrize("strategy", ["labels", "json"])
def test_a_slow_model(scripted: Scripted, strategy: str) -> None:
    answer = scripted(ScriptedEngine(delay_s=30), strategy=strategy, deadline_s=0.2).recommend("ann", 3)
    assert answer.fallback is not None
    assert "EngineTimeout" in answer.fallback.cause
    assert "0.2 s" in answer.fallback.cause
    assert _is_the_retrievers(answer)
    assert answer.timings_ms.total < 10_000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers(scripted: Scripted, value: float) -> None:
    answer = scripted(ScriptedEngine(scores=lambda _: value)).recommend("ann", 3)
    assert answer.fallback is not None
    assert answer.fallback.cause.startswith("AnswerError: the model's label scores are not all finite")
    assert _is_the_retrievers(answer)


@pytest.mark.parametrize("text", ["", "I like tea.", "[", "[]", "{}", '{"label": "A"}', "[[[[", "[1, 2]", '["A"]'])
def test_garbage_instead_of_a_list(scripted: Scripted, text: str) -> None:
    answer = scripted(ScriptedEngine(text=text), strategy="json").recommend("ann", 3)
    assert answer.fallback is not None
    assert answer.fallback.stage == "rank"
    assert answer.fallback.cause.startswith("AnswerError")
    assert _is_the_retrievers(answer)


def test_a_list_of_unknown_labels_only(scripted: Scripted) -> None:
    text = json.dumps([_entry("Z"), _entry("green-tea"), _entry("")])
    answer = scripted(ScriptedEngine(text=text), strategy="json").recommend("ann", 3)
    assert answer.fallback is not None
    assert "names none of the labels" in answer.fallback.cause
    assert _is_the_retrievers(answer)


def test_unknown_and_repeated_labels_are_left_out_and_counted(scripted: Scripted) -> None:
    text = json.dumps([_entry("B"), _entry("Z"), _entry("B"), _entry("A"), {"reason": "no label"}, "A"])
    answer = scripted(ScriptedEngine(text=text), strategy="json").recommend("ann", 3)
    assert answer.trace.invalid_labels == 3
    assert answer.trace.repeated_labels == 1
    assert answer.fallback is None
    labels = {candidate.label: candidate.item_id for candidate in answer.trace.candidates}
    assert [item.item_id for item in answer.items[:2]] == [labels["B"], labels["A"]]
    assert len({item.item_id for item in answer.items}) == 3


def test_complete_entries_of_a_truncated_list_are_kept_and_counted(scripted: Scripted) -> None:
    text = json.dumps([_entry("C"), _entry("A"), _entry("B")])[:-20]
    answer = scripted(ScriptedEngine(text=text, finish_reason="length"), strategy="json").recommend("ann", 3)
    assert answer.trace.truncated
    labels = {candidate.label: candidate.item_id for candidate in answer.trace.candidates}
    assert [item.item_id for item in answer.items[:2]] == [labels["C"], labels["A"]]


def test_no_reason_is_invented_for_an_item_that_the_list_left_out(scripted: Scripted) -> None:
    answer = scripted(ScriptedEngine(text=json.dumps([_entry("A")])), strategy="json").recommend("ann", 3)
    assert [item.reason is None for item in answer.items] == [False, True, True]


def test_a_model_that_fails_at_the_reasons_only(scripted: Scripted) -> None:
    engine = ScriptedEngine(error=EngineError("out of memory"), stage="generate")
    answer = scripted(engine).recommend("ann", 3)
    assert answer.fallback is not None
    assert (answer.fallback.stage, answer.fallback.cause) == ("explain", "EngineError: out of memory")
    assert [item.source for item in answer.items] == ["llm"] * 3
    assert [item.reason.source for item in answer.items if item.reason] == ["template"] * 3


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "it has no end"),
        ("Because you bought Green tea, it", "it has no end"),
        (", and 99 people agree.", "the number 99"),
        (", and Espresso too.", "the name 'Espresso'"),
        (", and it cures headaches.", "the word 'cures'"),
        (", see https://example.org for more.", "it contains 'https:'"),
        (" <b>now</b>.", "it contains '<'"),
    ],
)
def test_reasons_that_do_not_hold_up_are_replaced_and_counted(scripted: Scripted, text: str, cause: str) -> None:
    answer = scripted(ScriptedEngine(text=text), model_weight=0.0).recommend("ann", 2)
    assert len(answer.trace.rejected_reasons) == 2
    assert all(cause in rejection.cause for rejection in answer.trace.rejected_reasons)
    assert [item.reason.source for item in answer.items if item.reason] == ["template", "template"]


@pytest.mark.parametrize(
    ("engine", "error"),
    [
        (ScriptedEngine(error=EngineError("down")), EngineError),
        (ScriptedEngine(delay_s=30), EngineTimeout),
        (ScriptedEngine(scores=lambda _: math.nan), AnswerError),
        (ScriptedEngine(error=EngineError("down"), stage="generate"), EngineError),
    ],
)
def test_failures_raise_where_the_user_chose_so(
    scripted: Scripted, engine: ScriptedEngine, error: type[Exception]
) -> None:
    with pytest.raises(error):
        scripted(engine, on_failure="raise", deadline_s=0.5).recommend("ann", 3)
