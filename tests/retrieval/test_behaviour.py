"""Sparse counts against what anybody would count by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.behaviour import Behaviour, CrossCounts
from retrieval.lists import Sparse, look_up

_DAY = datetime(2026, 11, 1, tzinfo=UTC)
_ITEMS = 8
_TAKES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, _ITEMS - 1)), max_size=60)


def _by_hand(takes: list[tuple[int, int]]) -> dict[int, list[int]]:
    taken: dict[int, list[int]] = defaultdict(list)
    for user, row in takes:
        if row not in taken[user]:
            taken[user].append(row)
    return taken


def _behaviour(takes: list[tuple[int, int]]) -> Behaviour:
    behaviour = Behaviour()
    for user, row in takes:
        behaviour.add(str(user), row, None)
    return behaviour


def _dense(sparse: Sparse, size: int) -> list[float]:
    return look_up(sparse, np.arange(size)).tolist()


@given(_TAKES)
def test_together_after_and_counts(takes: list[tuple[int, int]]) -> None:
    behaviour, by_hand = _behaviour(takes), _by_hand(takes)
    for row in range(_ITEMS):
        together, after = [0.0] * _ITEMS, [0.0] * _ITEMS
        for taken in (taken for taken in by_hand.values() if row in taken):
            for other in taken:
                gap = taken.index(other) - taken.index(row)
                together[other] += 1 / math.log1p(len(taken)) if gap else 0.0
                after[other] += 1 / gap if 1 <= gap <= 5 else 0.0
        assert _dense(behaviour.together(row), _ITEMS) == pytest.approx(together)
        assert _dense(behaviour.after(row), _ITEMS) == pytest.approx(after)
    counts = [sum(row in taken for taken in by_hand.values()) for row in range(_ITEMS)]
    assert behaviour.every_count(_ITEMS).tolist() == counts
    assert behaviour.counts(np.array([3, 99])).tolist() == [counts[3], 0]
    assert behaviour.takes == sum(counts)


@given(_TAKES)
def test_what_was_counted_before_is_forgotten_by_every_take_that_changes_it(takes: list[tuple[int, int]]) -> None:
    growing = Behaviour()
    for number, (user, row) in enumerate(takes, start=1):
        growing.add(str(user), row, None)
        anew = _behaviour(takes[:number])
        for other in range(_ITEMS):
            assert _dense(growing.together(other), _ITEMS) == pytest.approx(_dense(anew.together(other), _ITEMS))
            assert _dense(growing.after(other), _ITEMS) == pytest.approx(_dense(anew.after(other), _ITEMS))


def test_a_second_event_with_an_item_is_no_second_take() -> None:
    behaviour = Behaviour()
    assert behaviour.add("u", 1, None)
    assert not behaviour.add("u", 1, None)
    assert behaviour.users == 1


def test_recent_takes_count_half_for_every_month_and_need_a_time() -> None:
    behaviour = Behaviour()
    for user, row, when in (("a", 0, _DAY), ("b", 1, _DAY + timedelta(days=30)), ("c", 2, None)):
        behaviour.add(user, row, when)
    assert behaviour.every_recent(4).tolist() == pytest.approx([0.5, 1.0, 0.0, 0.0])


def test_recent_takes_over_many_years_stay_finite() -> None:
    behaviour = Behaviour()
    for year in range(1950, 2050):
        behaviour.add(str(year), year % 3, datetime(year, 1, 1, tzinfo=UTC))
    recent = behaviour.every_recent(3)
    assert np.isfinite(recent).all()
    assert recent[2049 % 3] == pytest.approx(1, abs=0.01)


def test_counts_under_a_value() -> None:
    counts = CrossCounts()
    for row in (4, 2, 4):
        counts.add("age", "30", row)
    (rows, values), total = counts.of("age", "30")
    assert (rows.tolist(), values.tolist(), total) == ([2, 4], [1, 2], 3)
    assert counts.of("age", "40")[1] == 0
