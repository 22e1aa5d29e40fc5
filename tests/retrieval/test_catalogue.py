"""Rows that stay, and filters that say what may be shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from retrieval import Between, Filter, Item
from retrieval.catalogue import Catalogue
from retrieval.filters import Condition

_ITEMS = [
    Item(item_id="a", title="A", categories=("Tea",), price=5, attributes={"organic": True, "age": 12}),
    Item(item_id="b", title="B", categories=("Tea", "Gifts"), price=20, attributes={"organic": False, "for": ["x"]}),
    Item(item_id="c", title="C", categories=("Coffee",), created_at=datetime(2026, 1, 1, tzinfo=UTC)),
]


def _shown(catalogue: Catalogue, filter_: Filter) -> str:
    return "".join(catalogue.item(row).item_id for row in catalogue.allowed(filter_).nonzero()[0])


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ({"category": "Tea"}, "ab"),
        ({"category": ("Coffee", "Gifts")}, "bc"),
        ({"price": Between(high=19.99)}, "a"),
        ({"price": Between(low=5, high=20)}, "ab"),
        ({"price": 20}, "b"),
        ({"organic": True}, "a"),
        ({"organic": "no"}, "b"),
        ({"age": Between(high=12), "category": "Tea"}, "a"),
        ({"for": "x"}, "b"),
        ({"created_at": Between(low=datetime(2025, 6, 1, tzinfo=UTC).timestamp())}, "c"),
        ({"colour": "red"}, ""),
        ({}, "abc"),
    ],
)
def test_conditions(where: dict[str, Condition], shown: str) -> None:
    assert _shown(Catalogue(_ITEMS), Filter(where=where)) == shown


def test_lists_of_ids() -> None:
    catalogue = Catalogue(_ITEMS)
    assert _shown(catalogue, Filter(allow=frozenset("ab"), deny=frozenset("b"))) == "a"
    assert _shown(catalogue, Filter(allow=frozenset())) == ""


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing is between 5 and 3"):
        Between(low=5, high=3)


def test_filters_follow_what_is_replaced_added_and_removed() -> None:
    catalogue = Catalogue(_ITEMS)
    tea, cheap = Filter(where={"category": "Tea"}), Filter(where={"price": Between(high=10)})
    assert (_shown(catalogue, tea), _shown(catalogue, cheap)) == ("ab", "a")
    rows = catalogue.upsert([Item(item_id="a", title="A", price=50), Item(item_id="d", title="D", categories=("Tea",))])
    assert rows.tolist() == [0, 3]
    assert (_shown(catalogue, tea), _shown(catalogue, cheap)) == ("bd", "")
    catalogue.remove(["b"])
    assert _shown(catalogue, tea) == "d"
    assert "b" not in catalogue
    with pytest.raises(KeyError):
        catalogue.remove(["d", "b"])
    assert "d" in catalogue


def test_the_row_of_a_removed_item_is_not_given_again() -> None:
    catalogue = Catalogue(_ITEMS)
    catalogue.remove(["c"])
    assert catalogue.upsert([_ITEMS[2]]).tolist() == [3]
    assert len(catalogue) == 4


def test_a_placed_item_is_not_found_before_it_is_revealed() -> None:
    catalogue = Catalogue(_ITEMS)
    rows = catalogue.place([Item(item_id="e", title="E", categories=("Tea",))])
    assert "e" not in catalogue
    assert _shown(catalogue, Filter()) == "abc"
    catalogue.reveal(rows)
    assert _shown(catalogue, Filter(where={"category": "Tea"})) == "abe"
