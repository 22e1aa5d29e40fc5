"""Records accept what real catalogues hold and refuse what cannot be meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from retrieval import Context, Event, Item, User


def test_numbers_are_accepted_as_ids() -> None:
    assert Item.model_validate({"item_id": 7, "title": "Seven"}).item_id == "7"


@pytest.mark.parametrize("record", [{"item_id": "", "title": "x"}, {"item_id": "1", "title": " "}, {"item_id": "1"}])
def test_items_need_an_id_and_a_title(record: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Item.model_validate(record)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Item.model_validate({"item_id": "1", "title": "x", "colour": "red"})


def test_category_paths_become_names() -> None:
    item = Item.model_validate({"item_id": "1", "title": "x", "categories": [["Beauty", "Nails"], ["Beauty", "Skin"]]})
    assert item.categories == ("Beauty", "Nails", "Skin")


def test_the_text_of_an_item_holds_all_that_is_known() -> None:
    item = Item(item_id="1", title="Heat", categories=("Crime",), description="A thief.", attributes={"year": 1995})
    assert item.text() == "Heat. Crime. A thief. year: 1995"


def test_what_is_empty_is_not_known() -> None:
    raw = {"city": "", "job": " ", "age": None, "likes": [], "pets": 0, "vip": False}
    user = User.model_validate({"user_id": "u", "attributes": raw})
    assert user.attributes == {"pets": 0, "vip": False}
    assert Context.model_validate({"place": "", "mood": " ", "device": "PC"}).fields() == {"device": "PC"}


def test_times_without_a_zone_are_utc() -> None:
    event = Event.model_validate({"user_id": "u", "item_id": "i", "type": "view", "timestamp": "2026-11-01T10:00:00"})
    assert event.timestamp == datetime(2026, 11, 1, 10, tzinfo=UTC)


def test_context_keeps_any_field() -> None:
    context = Context.model_validate({"time": "2023-08-05", "place": "Beijing", "device": "PC", "weather": "hot"})
    assert context.fields() == {"time": "2023-08-05", "place": "Beijing", "device": "PC", "weather": "hot"}


def test_an_event_has_a_reference() -> None:
    assert Event(user_id="u", item_id="i", type="view").ref == "view:i:-"
    assert Event(user_id="u", item_id="i", type="view", event_id="e1").ref == "e1"


def test_records_do_not_change() -> None:
    with pytest.raises(ValidationError):
        User(user_id="u").user_id = "v"  # type: ignore[misc]
