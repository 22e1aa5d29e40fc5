"""Small worlds in which the right answer is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from genrec import Event, Item, Store, User

START = datetime(2026, 1, 1, tzinfo=UTC)


def quiet(_: str) -> None:
    """Progress that nobody reads."""


def items(count: int) -> list[Item]:
    return [Item(item_id=f"i{n}", title=f"Item {n}", categories=(f"kind {n % 4}",)) for n in range(count)]


def chains(users: int = 120, size: int = 60, length: int = 6) -> Store:
    """Everybody goes through the items one after the other, from a place of their own: the next one is certain."""
    events = [event(f"u{n}", (7 * n + step) % size, n, step) for n in range(users) for step in range(length)]
    return Store(items(size), [User(user_id=f"u{n}", attributes={"age": 20 + n % 40}) for n in range(users)], events)


def noise(users: int = 200, size: int = 100, length: int = 5) -> Store:
    """Everybody takes anything: nobody can know what is next."""
    draw = random.Random(0)
    picked = {n: draw.sample(range(size), length) for n in range(users)}
    events = [event(f"u{n}", item, n, step) for n, taken in picked.items() for step, item in enumerate(taken)]
    return Store(items(size), [User(user_id=f"u{n}") for n in picked], events)


def circles(count: int = 12, size: int = 11, *, people: bool = True) -> Store:
    """Everybody follows all of their circle and is followed back, each at a time of their own."""
    draw = random.Random(0)
    ids = [[f"p{place}" for place in range(first, first + size)] for first in range(0, count * size, size)]
    pairs = [(one, other) for circle in ids for one in circle for other in circle if one != other]
    times = draw.sample(range(len(pairs)), len(pairs))
    events = [
        Event(user_id=one, item_id=other, type="follow", timestamp=START + timedelta(minutes=time))
        for (one, other), time in zip(pairs, times, strict=True)
    ]
    everybody = [Item(item_id=one, title=f"Person {one}") for circle in ids for one in circle]
    return Store(everybody, [], events, people=people)


def event(user_id: str, item: int, day: int, step: int) -> Event:
    when = START + timedelta(days=day, minutes=step)
    return Event(user_id=user_id, item_id=f"i{item}", type="view", timestamp=when)


def sequences(*taken: Sequence[int], size: int = 60) -> Store:
    """Sequences without times."""
    events = [Event(user_id=f"u{n}", item_id=f"i{item}", type="view") for n, some in enumerate(taken) for item in some]
    return Store(items(size), [], events)
