"""What templates see is plain, and reads as people write it."""

from __future__ import annotations

from datetime import UTC, datetime

from genrec.prompting import days_ago, history_data, user_data
from genrec.testing import tiny_store
from retrieval import Event, User


def test_attributes_are_plain_values() -> None:
    attributes = {"age": 31, "member": True, "colors": ["red", "blue"], "unknown": None, "city": "Xi\nan"}
    data = user_data(User(user_id="u", attributes=attributes))
    assert data == {"attributes": {"age": 31, "member": "yes", "colors": "red, blue", "city": "Xi an"}}


def test_events_carry_their_item_and_age() -> None:
    store, now = tiny_store(), datetime(2026, 11, 9, 8, tzinfo=UTC)
    [event] = history_data(store.history("bob"), store.item, now)
    assert (event["type"], event["value"], event["days_ago"], event["date"]) == ("rate", 5, 8, "2026-11-01")
    assert event["item"]["title"] == "Espresso"


def test_an_event_without_a_time_or_from_later_has_no_age() -> None:
    event = Event(user_id="u", item_id="i", type="view")
    later = event.model_copy(update={"timestamp": datetime(2026, 11, 10, tzinfo=UTC)})
    assert days_ago(event, datetime(2026, 11, 9, tzinfo=UTC)) is None
    assert days_ago(later, datetime(2026, 11, 9, tzinfo=UTC)) is None
