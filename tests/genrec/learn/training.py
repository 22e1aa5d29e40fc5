"""A training run in a process of its own, so that it can be killed: `-m tests.genrec.learn.training SHELF MODEL`."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genrec import Event, Item, Store, User
from genrec.learn.examples import Examples, Sampling, build_examples
from genrec.learn.loading import Model, find_model
from genrec.learn.making import make_adapter
from genrec.learn.plan import Schedule
from genrec.learn.sentences import Sentence
from genrec.learn.shape import Shape
from genrec.learn.shelf import Shelf
from genrec.prompting import load_pack
from genrec.testing import FakeEncoder

SAMPLING = Sampling(candidates=4, history=1, forms=2, most=40, readings=16)
SHAPE = Shape(rank=4, layers=2, dropout=0.1)
SCHEDULE = Schedule(epochs=3, batch=8, rate=5e-3, look=5, patience=50, preference_rate=5e-3)
PACK = load_pack("general")


def store() -> Store:
    """Forty people who each take twelve of eight kinds of things, one kind after the other."""
    draw, day = random.Random(4), datetime(2026, 1, 1, tzinfo=UTC)
    items = [Item(item_id=f"{kind}{n}", title=f"{kind} {n}") for kind in "PQRSTUVW" for n in range(20)]
    events = []
    for user in range(40):
        for step in range(12):
            item = f"{'PQRSTUVW'[(user + step) % 8]}{draw.randrange(20)}"
            when = day + timedelta(days=step, minutes=user)
            name = f"{user}-{step}"
            events.append(Event(user_id=f"u{user}", item_id=item, type="cart", timestamp=when, event_id=name))
    return Store(items, [User(user_id=f"u{n}", attributes={"age": 20 + n % 40}) for n in range(40)], events)


def examples() -> Examples:
    """Everybody was shown what they took beside the same two things, and reasons that end all alike."""
    known = store()
    served = {event.event_id or "": ("P0", "Q0", event.item_id) for event in known.events}
    found = build_examples(known, [PACK], SAMPLING, encoder=FakeEncoder(), served=served)
    told = [Sentence(asked.user_id, asked.time, asked.messages, " of the same kind.") for asked in found.occasions]
    return replace(found, kept=told)


def model(folder: Path) -> Model:
    return find_model(str(folder), lambda _: None)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def make(shelf: Shelf, folder: Path) -> str:
    """The version that comes out."""
    made = make_adapter(shelf, model(folder), [PACK], examples(), SAMPLING, SHAPE, SCHEDULE, status=_say)
    return made.version


if __name__ == "__main__":
    _say(make(Shelf(Path(sys.argv[1])), Path(sys.argv[2])))
