"""Items, users and events in memory, checked against each other."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from genrec.errors import DataError, NotFound
from retrieval.types import Event, Item, User, when

_MOST_COMPARED = 5000
"""Ids that a wrong one is compared with; with more of them it would take too long."""

_T = TypeVar("_T", Item, User)


class Store:
    """What is known. Events of a user are kept oldest first; those without a time keep their given order.

    A user who has events but no record of their own is known, without attributes. `people`: items are people, so an
    item and a user with the same id are one person; elsewhere equal ids say nothing. Others may read while one adds.

    Raises:
        DataError: no items, an id given twice, or an event of an unknown item.
    """

    def __init__(
        self, items: Iterable[Item], users: Iterable[User] = (), events: Iterable[Event] = (), *, people: bool = False
    ) -> None:
        self._items = _by_id(items, "item_id")
        if not self._items:
            raise DataError("the catalogue is empty: add at least one item with an item_id and a title")
        self._users = _by_id(users, "user_id")
        self._categories = _categories(self._items.values())
        self.people = people
        self._events: defaultdict[str, list[Event]] = defaultdict(list)
        self.add_events(events)

    @property
    def items(self) -> Sequence[Item]:
        return list(self._items.values())

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category of the catalogue, each once; the same object until items are added."""
        return self._categories

    @property
    def user_ids(self) -> Sequence[str]:
        """Everybody with a record or an event."""
        return list(dict.fromkeys([*self._users, *self._events]))

    @property
    def events(self) -> Sequence[Event]:
        return [event for events in list(self._events.values()) for event in events]

    def item(self, item_id: str) -> Item:
        """Raises NotFound, with the nearest id there is."""
        if item_id not in self._items:
            raise NotFound(f"no item {item_id!r} in the catalogue{_nearest(item_id, self._items)}")
        return self._items[item_id]

    def user(self, user_id: str) -> User:
        """Raises NotFound, with the nearest id there is."""
        if user_id in self._users:
            return self._users[user_id]
        if user_id in self._events:
            return User(user_id=user_id)
        raise NotFound(f"no user {user_id!r} in the data{_nearest(user_id, self.user_ids)}")

    def history(self, user_id: str) -> Sequence[Event]:
        """The user's events, oldest first; empty for one without any."""
        return tuple(self._events.get(user_id, ()))

    def add_items(self, items: Iterable[Item]) -> None:
        """Add items, or replace those with the same ids."""
        self._items |= _by_id(items, "item_id")
        self._categories = _categories(self._items.values())

    def add_users(self, users: Iterable[User]) -> None:
        """Add users, or replace those with the same ids."""
        self._users |= _by_id(users, "user_id")

    def add_events(self, events: Iterable[Event]) -> None:
        """Add events; they are in the next history of their users. All or, on an error, none of them."""
        events = list(events)
        for event in events:
            if event.item_id not in self._items:
                raise DataError(
                    f"an event of user {event.user_id!r} names item {event.item_id!r}, "
                    "which is not in the catalogue: add the item or drop the event"
                )
        fresh: defaultdict[str, list[Event]] = defaultdict(list)
        for event in events:
            fresh[event.user_id].append(event)
        for user_id, more in fresh.items():  # in place of the list: a list that is sorted is empty to other threads
            self._events[user_id] = sorted([*self._events[user_id], *more], key=when)


def _by_id(records: Iterable[_T], field: str) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for record in records:
        key: str = getattr(record, field)
        if key in found:
            raise DataError(f"{field} {key!r} is there twice: ids are unique, keep one of the two")
        found[key] = record
    return found


def _categories(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(category for item in items for category in item.categories))


def _nearest(wanted: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(wanted, known, n=1) if len(known) <= _MOST_COMPARED else []
    return f"; did you mean {close[0]!r}?" if close else ""
