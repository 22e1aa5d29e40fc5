"""Fitting finds the signal that tells what comes next, the same one every time, and never sees what is hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.testing import FakeEncoder
from retrieval import Event, Item, Query, Retriever, User, Weights
from retrieval.cache import VectorCache
from retrieval.fit import Case, Fit, _climb, fit, hide_last

_BLIND = Weights(semantic=1, lexical=0, together=0, after=0, popularity=1)
_ITEMS = [Item(item_id=str(n), title=f"Thing {n}") for n in range(40)]


def _view(user_id: str, item_id: int, kind: str = "view") -> Event:
    return Event(user_id=user_id, item_id=str(item_id), type=kind)


def _fitted(folder: Path, users: int = 80) -> Fit:
    """Everybody goes on from an item to the next one: transitions tell all, titles and popularity nothing."""
    histories = {f"u{n}": [_view(f"u{n}", (n * 7 + step) % 40) for step in range(5)] for n in range(users)}
    cases = [
        Case(Query(User(user_id=user_id), known), take.item_id)
        for user_id, history in histories.items()
        for known, take in [hide_last(history)]
    ]
    events = [event for history in histories.values() for event in history[:-1]]
    cache = VectorCache(folder / "v.sqlite")
    return fit(Retriever.build(_ITEMS, events, FakeEncoder(), cache, weights=_BLIND), cases)


def test_weights_get_better_and_are_the_same_every_time(tmp_path: Path) -> None:
    fitted = _fitted(tmp_path)
    assert fitted.before < 0.2
    assert fitted.after > 0.8
    assert fitted.weights.after + fitted.weights.together > 0
    assert _fitted(tmp_path) == fitted


def test_dislikes_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    """Everybody dismisses what looks like the item that they take next."""
    items = [Item(item_id=str(n), title=f"Thing {n // 2}") for n in range(80)]
    cases = []
    for n in range(80):
        target = (3 * n + 1) % 80
        known = [_view(f"u{n}", (target + 20) % 80), _view(f"u{n}", target ^ 1, "dismiss")]
        cases.append(Case(Query(User(user_id=f"u{n}"), known), str(target)))
    retriever = Retriever.build(items, [], FakeEncoder(), VectorCache(tmp_path / "v.sqlite"))
    assert fit(retriever, cases).weights.dislike == 0


class _MoreIsBetter:
    """A table by which a signal can never weigh enough."""

    names = ("after",)

    def vector(self, weights: Weights) -> np.ndarray:
        return np.array([weights.after])

    def ndcg(self, weights: Weights) -> float:
        return weights.after

    def ndcg_of(self, vector: np.ndarray) -> float:
        return float(vector[0])


def test_what_is_found_can_be_saved_and_read_again() -> None:
    found = _climb(_MoreIsBetter(), Weights())  # type: ignore[arg-type]
    assert found.after == 10
    assert Weights.model_validate_json(found.model_dump_json()) == found


def test_too_few_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="9 users have a take to hide"):
        _fitted(tmp_path, users=9)


def test_the_last_take_is_hidden_with_all_that_came_later() -> None:
    history = [_view("u", 1), _view("u", 2), _view("u", 1), _view("u", 3, "dismiss")]
    assert hide_last(history) == (history[:1], history[1])
    assert hide_last(history[:1]) is None
    assert hide_last([_view("u", 1), _view("u", 1)]) is None
