"""The model's share in the fused score: earned, or 0."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from genrec import Config, Event, Item, Recommender, Store, User
from genrec.parts import hold_out
from genrec.testing import FakeEncoder, ScriptedEngine
from genrec.weighing import Judged, fit_weight, gain, judge


def _cases(count: int, model_knows: float) -> list[Judged]:
    """Retrievers that know a little, models that know `model_knows`."""
    draw = np.random.default_rng(7)
    found = []
    for _ in range(count):
        hidden = int(draw.integers(20))
        truth = np.zeros(20)
        truth[hidden] = 1.0
        retrieval, model = (draw.normal(size=20) + known * truth for known in (1.0, model_knows))
        found.append(Judged(retrieval, model, [hidden]))
    return found


def test_a_model_that_knows_something_earns_a_weight() -> None:
    found = fit_weight(_cases(200, model_knows=2.0))
    assert found.weight == found.best > 0.3
    assert found.after - found.before > 2 * found.standard_error


def test_a_model_at_chance_gets_none() -> None:
    found = fit_weight(_cases(200, model_knows=0.0))
    assert found.weight == 0.0
    assert found.after >= found.before


def test_too_few_cases() -> None:
    with pytest.raises(ValueError, match="29 lists hold the hidden item: 30 are needed"):
        fit_weight(_cases(29, 1.0))


def test_ties_count_against_the_hidden_item() -> None:
    assert gain(Judged(np.zeros(20), np.zeros(20), [3]), 0.5) == 0.0


def test_lists_that_hold_the_hidden_item_are_judged(own_cache: object) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    items = [Item(item_id=str(n), title=f"Item {n}") for n in range(12)]
    events = [
        Event(user_id=f"u{user}", item_id=str((user + step) % 12), type="cart", timestamp=day + timedelta(days=step))
        for user in range(60)
        for step in range(3)
    ]
    store, cases = hold_out(Store(items, [User(user_id=f"u{n}") for n in range(60)], events))
    assert all(len(store.history(f"u{user}")) == 2 for user in range(60))
    engine = ScriptedEngine()
    recommender = Recommender.from_store(store, engine=engine, encoder=FakeEncoder(), config=Config(candidates=10))
    seen = []
    judged = asyncio.run(judge(recommender, cases, 20, lambda done, of: seen.append((done, of))))
    assert len(judged) == 20
    assert seen[-1] == (20, 20)
    assert len(engine.prompts) == 20
    for case in judged:
        assert case.model.std() == pytest.approx(1.0)
        assert case.retrieval.mean() == pytest.approx(0.0)
