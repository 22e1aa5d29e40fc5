"""Windows and their final, with judges that know the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from genrec.ranking import Ranking
from genrec.tournament import draw, play
from genrec.types import Usage
from retrieval import Candidate, Item


def _candidates(count: int) -> list[Candidate]:
    return [
        Candidate(item=Item(item_id=str(n), title=f"Item {n}"), score=float(-n), contributions=()) for n in range(count)
    ]


async def _by_id(candidates: Sequence[Candidate]) -> Ranking:
    """A judge that likes high numbers, the opposite of the retriever."""
    scores = {candidate.item.item_id: float(candidate.item.item_id) for candidate in candidates}
    return Ranking(scores, scores, {}, Usage(prompt_tokens=1))


@pytest.mark.parametrize(("count", "windows"), [(1, 1), (26, 1), (27, 2), (52, 2), (53, 3), (200, 8)])
def test_every_candidate_is_in_one_window_of_at_most_26(count: int, windows: int) -> None:
    drawn = draw(_candidates(count))
    assert len(drawn) == windows
    assert sorted(int(c.item.item_id) for window in drawn for c in window) == list(range(count))
    assert max(map(len, drawn)) <= 26
    assert max(map(len, drawn)) - min(map(len, drawn)) <= 1


def test_windows_share_the_best() -> None:
    firsts = [sorted(int(c.item.item_id) for c in window)[:2] for window in draw(_candidates(200))]
    assert sorted(first for pair in firsts for first in pair) == list(range(16))


def test_one_window_keeps_what_the_judge_said() -> None:
    ranking = asyncio.run(play(_candidates(26), _by_id))
    assert ranking.calls == 1
    assert ranking.scores["25"] == 25.0


def test_two_hundred_take_nine_calls_and_the_best_of_the_judge_win() -> None:
    ranking = asyncio.run(play(_candidates(200), _by_id))
    assert ranking.calls == 9
    assert ranking.usage.prompt_tokens == 9
    order = sorted(ranking.scores, key=lambda item_id: -ranking.scores[item_id])
    assert order[:5] == ["199", "198", "197", "196", "195"]
    assert sorted(map(int, order)) == list(range(200))
    assert len(ranking.logprobs) == 200


@pytest.mark.parametrize("count", range(1, 201))
def test_every_candidate_has_a_place_whichever_window_is_the_longest(count: int) -> None:
    ranking = asyncio.run(play(_candidates(count), _by_id))
    assert sorted(map(int, ranking.scores)) == list(range(count))


def test_a_failing_window_fails_the_tournament() -> None:
    async def broken(candidates: Sequence[Candidate]) -> Ranking:
        raise ValueError("down")

    with pytest.raises(ValueError, match="down"):
        asyncio.run(play(_candidates(60), broken))
