"""The benchmarks of ranking and explaining count what they say they count; a scripted model stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval import bench_rank, ranks, reasons, validity
from genrec import Context, Recommender
from genrec.testing import FakeEncoder, ScriptedEngine
from tests.conftest import FILMS

_CONTEXT = Context.model_validate({"time": "2026-11-23T20:30"})


def _quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture
def scripted_films(own_cache: Path) -> Recommender:
    return Recommender.from_folder(FILMS, engine=ScriptedEngine(), encoder=FakeEncoder())


def test_valid_answers_count_no_invalid_ids(scripted_films: Recommender) -> None:
    result = validity.count_invalid(scripted_films, 40, _quiet)
    assert result["invalid_ids"] == 0
    assert [row["requests"] for row in result["rows"]] == [20, 20]


def test_repairs_are_counted(own_cache: Path) -> None:
    text = '[{"label":"A","reason":""},{"label":"A","reason":""},{"label":"Z","reason":""}]'
    films = Recommender.from_folder(FILMS, engine=ScriptedEngine(text=text), encoder=FakeEncoder())
    listed = validity.count_invalid(films, 10, _quiet)["rows"][1]
    assert (listed["repeated labels"], listed["unknown labels"], listed["lists with repeats"]) == (5, 5, 5)
    assert listed["invalid ids"] == 0


def test_reasons_are_looked_at_from_all_sides(scripted_films: Recommender) -> None:
    result = reasons.measure(scripted_films, 6, _CONTEXT, _quiet)
    citations = result["citations"]
    assert citations["reasons"] == 30
    assert citations["evidence that does not resolve"] == 0
    assert citations["reasons that cite nothing"] == 0
    assert citations["shown reasons that the check refuses"] == 0
    assert result["necessity"]["items"] > 0
    swapped = {row["swapped reasons"]: row for row in result["swap"]}
    assert swapped["cites what the other item does not"]["refused"] == "100.0%"


def test_the_curve_of_a_model_that_likes_the_first_letter(own_cache: Path) -> None:
    result = ranks.compare(FILMS, 4, _quiet, others=True, engine=ScriptedEngine(), encoder=FakeEncoder())
    spread = {row["ranks"]: row for row in result["bias"]["spread"]}
    assert (spread["model, 1 order"]["mean rank, lowest"], spread["model, 1 order"]["highest"]) == ("1.0", "20.0")
    assert spread["model, 1 order"]["standard deviation"] == "5.77"
    assert {"retriever", "model, 1 order", "item by item", "pair by pair"} <= {row["ranks"] for row in result["rows"]}
    assert "not fitted: 2 users" in result["weight"]


def test_rank_llm_is_asked_with_the_same_words() -> None:
    messages = [
        {"role": "system", "content": "Rules."},
        {"role": "user", "content": "The person: age 3.\nThey like tea.\n\nFilms:\nHeat [A]\nUp [B]\n\nWhich?"},
    ]
    query = bench_rank._as_query(messages)
    assert query["items"] == ["Heat", "Up"]
    assert query["query"] == "The person: age 3. They like tea. Films:"


def test_ratios_are_of_medians() -> None:
    def at(*seconds: float) -> bench_rank.Measured:
        return bench_rank.Measured(seconds=list(seconds), requests=10 * len(seconds))

    measured = {"engine": at(1, 2, 1), "labels": at(2, 2, 5), "json, all": at(10, 20, 5)}
    assert bench_rank._ratios(measured) == {"labels_vs_engine": 0.5, "labels_vs_json": 5.0}
