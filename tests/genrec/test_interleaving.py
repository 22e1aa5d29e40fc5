"""Two answers in one list: everybody's items, fair turns, and credit where it is due."""

from __future__ import annotations

from collections import Counter

import pytest

from genrec import Event, Recommendation
from genrec.interleaving import Interleaved, interleave, winner
from genrec.testing import ScriptedEngine
from tests.conftest import Scripted


def _answers(scripted: Scripted) -> tuple[Recommendation, Recommendation]:
    upside_down = ScriptedEngine(scores=lambda label: float(ord(label)))
    return scripted().recommend("new", 6), scripted(upside_down).recommend("new", 6)


def test_every_item_comes_once_and_places_are_counted_anew(scripted: Scripted) -> None:
    a, b = _answers(scripted)
    mixed = interleave(a, b, 6, seed=1)
    ids = [item.item_id for item in mixed.items]
    assert len(set(ids)) == 6
    assert [item.rank for item in mixed.items] == [1, 2, 3, 4, 5, 6]
    assert Counter(mixed.teams.values()) == {"a": 3, "b": 3}
    assert ids[0] in {a.items[0].item_id, b.items[0].item_id}
    assert interleave(a, b, 6, seed=1) == mixed


def test_both_are_first_as_often(scripted: Scripted) -> None:
    a, b = _answers(scripted)
    first = Counter(
        mixed.teams[mixed.items[0].item_id] for mixed in (interleave(a, b, 4, seed=seed) for seed in range(400))
    )
    assert 150 < first["a"] < 250


def test_a_shorter_answer_leaves_its_places_to_the_other(scripted: Scripted) -> None:
    a, b = _answers(scripted)
    short = a.model_copy(update={"items": a.items[:1]})
    assert len(interleave(short, b, 6, seed=2).items) == 6


def test_credit_goes_to_who_put_the_item_there(scripted: Scripted) -> None:
    mixed = interleave(*_answers(scripted), 6, seed=1)
    by_team = {team: [i for i, t in mixed.teams.items() if t == team] for team in ("a", "b")}
    events = [
        Event(user_id="new", item_id=by_team["a"][0], type="view"),
        Event(user_id="new", item_id=by_team["a"][0], type="purchase"),
        Event(user_id="new", item_id=by_team["b"][0], type="dismiss"),
        Event(user_id="ann", item_id=by_team["b"][1], type="purchase"),
        Event(user_id="new", item_id="somewhere-else", type="purchase"),
    ]
    assert mixed.credit(events) == {"a": 1.0, "b": -0.6}


def test_the_better_variant_wins(scripted: Scripted) -> None:
    """Users who only ever take what `a` puts first."""
    a, b = _answers(scripted)
    liked = a.items[0].item_id
    lists: list[Interleaved] = [interleave(a, b, 4, seed=seed) for seed in range(200)]
    won, pair = winner([mixed.credit([Event(user_id="new", item_id=liked, type="click")]) for mixed in lists])
    assert won["a"] > 2 * won["b"]
    assert pair.verdict() == "worse"


def test_answers_for_two_users_do_not_mix(scripted: Scripted) -> None:
    with pytest.raises(ValueError, match="answers for users 'new' and 'ann'"):
        interleave(scripted().recommend("new", 2), scripted().recommend("ann", 2), 2, seed=0)
