"""Items and events that come while lists are made: no list fails, and none forgets what was known before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from genrec import Event, Item, Store
from tests.conftest import Scripted

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_lists_that_are_made_while_the_data_grows(scripted: Scripted) -> None:
    items = [Item(item_id=f"i{n}", title=f"Tea number {n}", categories=("tea",)) for n in range(1500)]
    past = [Event(user_id="u", item_id="i0", type="purchase", timestamp=START, event_id="first")]
    recommender = scripted(store=Store(items, events=past), explain=False)

    def grow(turn: int) -> None:
        recommender.add_items([Item(item_id=f"new{turn}", title=f"New tea {turn}", categories=(f"c{turn}", "tea"))])
        happened = START + timedelta(hours=turn)
        recommender.add_events([Event(user_id="u", item_id=f"new{turn}", type="view", timestamp=happened)])

    with ThreadPoolExecutor(5) as pool:
        growing = pool.submit(lambda: [grow(turn) for turn in range(25)])
        lists = []
        while not growing.done():
            lists += pool.map(lambda _: recommender.recommend("u", 10, instruction="new tea"), range(4))
        growing.result()
    assert lists
    assert all(len(found.items) == 10 for found in lists)
    assert all("i0" not in {item.item_id for item in found.items} for found in lists)
