"""A tenant in memory: caught up by whoever asks, built anew after removals, gone with what was erased."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec import Config, Event, Item, StoreError, User
from genrec.engine import cache_folder
from genrec.server.desk import Desk, Parts
from genrec.server.lines import Lines
from genrec.server.metrics import Metrics
from genrec.server.settings import Settings
from genrec.store.database import Database, Tenant
from genrec.testing import FakeEncoder, ScriptedEngine
from tests.genrec.server.conftest import House, fill


@pytest.fixture
def tenant(tmp_path: Path, own_cache: Path) -> Tenant:
    database = Database.open(f"sqlite:///{tmp_path / 'genrec.sqlite'}", timeout_s=1)
    made = database.create_tenant("default")
    fill(made)
    return made


def _desk(tenant: Tenant) -> Desk:
    lines = Lines(1, Metrics(Settings(), 60).database_errors)
    return Desk(tenant, Parts(ScriptedEngine(), FakeEncoder(), Config(model_weight=1.0), lines))


def test_many_who_ask_at_once_read_once_or_twice(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    async def work() -> None:
        desk = _desk(tenant)
        await desk.catch_up()
        changes = tenant.changes
        monkeypatch.setattr(tenant, "changes", lambda mark: (reads.append(mark), changes(mark))[1])
        await asyncio.gather(*(desk.catch_up() for _ in range(50)))

    asyncio.run(work())
    assert 1 <= len(reads) <= 2


def test_whoever_asks_after_a_write_sees_it_whatever_runs_already(tenant: Tenant) -> None:
    async def one(desk: Desk, place: int) -> bool:
        event = Event(user_id="new", item_id="mocha", type="view", event_id=f"e{place}")
        await desk.write(tenant.add_events, [event])
        recommender = await desk.current()
        return event.event_id in {other.event_id for other in recommender.store.history("new")}

    async def work() -> list[bool]:
        desk = _desk(tenant)
        seen = await asyncio.gather(*(one(desk, place) for place in range(40)))
        assert len((await desk.current()).store.history("new")) == 40  # and none of them twice
        return seen

    assert all(asyncio.run(work()))


def test_a_caller_who_leaves_does_not_stop_the_reading_of_others(tenant: Tenant) -> None:
    async def work() -> None:
        desk = _desk(tenant)
        leaving, staying = asyncio.create_task(desk.catch_up()), asyncio.create_task(desk.catch_up())
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert (await desk.current()).store.items

    asyncio.run(work())


def test_a_change_that_fails_half_way_is_loaded_anew(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        desk = _desk(tenant)
        first = await desk.current()
        tenant.add_events([Event(user_id="new", item_id="mocha", type="view")])
        monkeypatch.setattr(first.retriever.knowledge, "add_events", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await desk.current()
        second = await desk.current()
        assert second is not first
        assert len(second.store.history("new")) == 1

    asyncio.run(work())


def test_nothing_that_was_removed_is_used_when_the_database_goes_away(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise StoreError("away")

    async def work() -> None:
        desk = _desk(tenant)
        await desk.current()
        tenant.erase_user("ann")
        monkeypatch.setattr(tenant, "changes", away)
        await desk.after_removal()
        with pytest.raises(StoreError):
            async with desk.at_hand():
                pass

    asyncio.run(work())


def test_what_was_erased_is_in_no_memory(tenant: Tenant) -> None:
    async def work() -> None:
        desk = _desk(tenant)
        before = await desk.current()
        await before.arecommend("ann", 3)
        assert len(before.setup.reasons)
        tenant.erase_user("ann")
        after = await desk.current()
        assert after is not before
        assert len(after.setup.reasons) == 0
        assert "ann" not in after.store.user_ids
        assert after.retriever.knowledge.takers("green-tea") == 0

    asyncio.run(work())


def test_what_is_let_go_needs_no_collector(tenant: Tenant) -> None:
    """A service keeps what it loaded out of the collector's sight: a cycle in it would stay for ever."""

    async def work() -> None:
        desk = _desk(tenant)
        before = weakref.ref(await desk.current())
        await (await desk.current()).arecommend("ann", 3)
        tenant.erase_user("ann")
        await desk.current()
        assert before() is None

    gc.collect()
    gc.disable()
    try:
        asyncio.run(work())
    finally:
        gc.enable()


def test_the_vector_of_a_person_goes_with_the_person(tmp_path: Path, own_cache: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'people.sqlite'}")
    people = database.create_tenant("friends", people=True)
    people.put_items([Item(item_id=name, title=f"{name} likes hills") for name in ("ann", "bob")])
    people.put_users([User(user_id="ann"), User(user_id="bob")])
    vectors = {name: FakeEncoder().encode([people.item(name).text()])[0].astype(np.float32) for name in ("ann", "bob")}

    def kept() -> set[str]:
        files = b"".join(path.read_bytes() for path in cache_folder().rglob("vectors*"))
        return {name for name, vector in vectors.items() if vector.tobytes() in files}

    async def work() -> None:
        desk = _desk(people)
        await desk.current()
        assert kept() == {"ann", "bob"}
        people.erase_user("ann")
        assert [item.item_id for item in (await desk.current()).store.items] == ["bob"]
        assert kept() == {"bob"}

    asyncio.run(work())
    database.close()


def test_memory_forgets_before_an_erasure_is_acknowledged(house: House) -> None:
    house.list()
    house.client.delete("/v1/users/ann")
    recommender = house.service._desks["default"]._recommender
    assert recommender is not None
    assert "ann" not in recommender.store.user_ids
