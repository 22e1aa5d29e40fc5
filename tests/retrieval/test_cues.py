"""What a request gives away."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

import pytest

from retrieval import Context, Event, Weights, cues
from retrieval.cues import attribute_cues, context_cues, event_cues, event_weights, instruction_cues, strength

_DAY = datetime(2026, 11, 1, tzinfo=UTC)


def _event(item_id: str, days: int = 0, kind: str = "purchase") -> Event:
    return Event(user_id="u", item_id=item_id, type=kind, timestamp=_DAY + timedelta(days=days))


def test_recent_events_weigh_more_and_absolute_weights_sum_to_one() -> None:
    weights = event_weights([_event("a", 0), _event("b", 10), _event("c", 20, "dismiss")], Weights())
    assert weights[0] < weights[1]
    assert weights[2] < 0
    assert sum(map(abs, weights)) == pytest.approx(1)
    assert event_weights([], Weights()) == []


def test_what_speaks_against_an_item_counts_as_much_as_its_weight_says() -> None:
    events = [_event("a"), _event("b", kind="dismiss")]
    full, half = (event_weights(events, Weights(dislike=dislike)) for dislike in (1.0, 0.5))
    assert half[1] / half[0] == pytest.approx(0.5 * full[1] / full[0])
    assert [cue.item_id for cue in event_cues(events, Weights(dislike=0))] == ["a"]


def test_events_that_hardly_count_are_left_out() -> None:
    found = event_cues([_event(str(n), n) for n in range(100)], Weights())
    assert 10 < len(found) < 40
    assert found[-1].item_id == "99"


@pytest.mark.parametrize(("value", "says"), [(5, 1.0), (4, 0.6), (2.5, 0.0), (1, -0.6), (100, 1.0), (-100, -1.0)])
def test_strength_of_ratings(value: float, says: float) -> None:
    assert strength(Event(user_id="u", item_id="i", type="rate", value=value)) == pytest.approx(says)


def test_any_other_word_is_an_event_too() -> None:
    assert strength(Event(user_id="u", item_id="i", type="follow")) > 0


def test_every_attribute_counts_the_same() -> None:
    found = attribute_cues({"age": 34, "likes": ["jazz", "folk"]})
    assert [(cue.ref, cue.value, cue.weight) for cue in found] == [
        ("age", "30", 0.5),
        ("likes", "jazz", 0.25),
        ("likes", "folk", 0.25),
    ]
    assert found[0].text == "age: 34"


def test_a_time_is_a_part_of_the_day_and_a_kind_of_day() -> None:
    found = context_cues(Context(time=datetime(2026, 11, 28, 19, 30), place="Oslo"))
    assert [(cue.ref, cue.field, cue.value) for cue in found] == [
        ("place", "place", "Oslo"),
        ("time", "part of day", "evening"),
        ("time", "kind of day", "weekend"),
    ]
    assert sum(cue.weight for cue in found) == pytest.approx(1)


def test_a_blank_instruction_says_nothing() -> None:
    assert instruction_cues("  ") == []
    assert instruction_cues("a comedy")[0].text == "a comedy"


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(cues).failed == 0
