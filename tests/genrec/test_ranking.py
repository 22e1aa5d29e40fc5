"""Labels and fusion, without a model."""

from __future__ import annotations

import pytest

from genrec.ranking import LABELS, assign_labels, fuse, list_schema, place_scores
from retrieval import Candidate, Item


def _candidates(*scores: float) -> list[Candidate]:
    return [
        Candidate(item=Item(item_id=str(place), title=f"Item {place}"), score=score, contributions=())
        for place, score in enumerate(scores)
    ]


def _order(candidates: list[Candidate], scores: dict[str, float], weight: float) -> list[str]:
    return [scored.candidate.item.item_id for scored in fuse(candidates, scores, weight)]


def test_labels_are_shuffled_by_the_seed_and_map_back() -> None:
    candidates = _candidates(*range(26))
    labelled = assign_labels(candidates, seed=7)
    assert list(labelled) == list(LABELS)
    assert sorted(c.item.item_id for c in labelled.values()) == sorted(c.item.item_id for c in candidates)
    assert labelled == assign_labels(candidates, seed=7)
    assert labelled != assign_labels(candidates, seed=8)


def test_more_candidates_than_labels() -> None:
    with pytest.raises(ValueError, match="27 candidates for 26 labels"):
        assign_labels(_candidates(*range(27)), seed=0)


def test_weight_zero_is_the_retrievers_order_and_one_the_models() -> None:
    candidates = _candidates(0.5, 0.9, 0.1)
    scores = {"0": -5.0, "1": -9.0, "2": -1.0}
    assert _order(candidates, scores, 0.0) == ["1", "0", "2"]
    assert _order(candidates, scores, 1.0) == ["2", "0", "1"]


def test_equal_scores_keep_the_retrievers_order() -> None:
    assert _order(_candidates(0.1, 0.9, 0.5), dict.fromkeys("012", -1.0), 1.0) == ["1", "2", "0"]


def test_places_become_reciprocal_scores() -> None:
    assert place_scores(["C", "A"], "ABC") == {"A": 1 / 2, "B": 1 / 3, "C": 1.0}


def test_the_schema_fixes_length_and_labels() -> None:
    schema = list_schema("AB", 2)
    assert (schema["minItems"], schema["maxItems"]) == (2, 2)
    assert schema["items"]["properties"]["label"]["enum"] == ["A", "B"]
