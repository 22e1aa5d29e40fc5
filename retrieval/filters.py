"""Which items may be shown: conditions on any field, lists of ids."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, model_validator

from retrieval.types import Id, Item, Scalar, plain


class Between(BaseModel):
    """A number or a time from `low` to `high`, both included; None leaves a side open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float | None = Field(default=None, strict=True)
    high: float | None = Field(default=None, strict=True)

    @model_validator(mode="after")
    def _not_empty(self) -> Between:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"nothing is between {self.low:g} and {self.high:g}: low comes first")
        return self


Condition = Scalar | tuple[Scalar, ...] | Between
"""Equal to a value (or holding it, for lists), to any of several, or between two."""


class Filter(BaseModel):
    """Conditions that an item must meet, all of them.

    `where` names `category`, `price`, `created_at` (in seconds since 1970) or any attribute. An item that lacks
    the field does not meet a condition on it. `allow` are the only ids to show, `deny` ids never to show.

    >>> Filter(where={"category": ("Tea", "Coffee"), "price": Between(high=20)}, deny=frozenset({"mocha"}))
    ... # doctest: +SKIP
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: Mapping[str, Condition] = Field(default_factory=dict)
    allow: frozenset[Id] | None = None
    deny: frozenset[Id] = frozenset()


def values(item: Item, field: str) -> tuple[str, ...]:
    """What an item holds in a field, as people write it; empty where it lacks the field."""
    if field == "category":
        return item.categories
    value = number(item, field) if field in {"price", "created_at"} else item.attributes.get(field)
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (plain(value),)


def number(item: Item, field: str) -> float | None:
    """The number that an item holds in a field; None where it lacks the field or holds something else."""
    value: object = item.attributes.get(field)
    if field == "price":
        value = item.price
    elif field == "created_at":
        value = item.created_at
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
