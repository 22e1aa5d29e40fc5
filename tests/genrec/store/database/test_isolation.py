"""Two tenants with the same ids never see, change or remove each other's rows: any operations, against dicts."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from genrec import Conflict, DataError, Event, Item, NotFound, User
from genrec.store.database import Database, Stored, Tenant
from tests.genrec.store.database.conftest import answer, event

_TENANTS = st.sampled_from(["a", "b"])
_IDS = st.sampled_from(["1", "2"])


class _Model:
    """What one tenant should hold."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.users: dict[str, User] = {}
        self.events: dict[str, Event] = {}
        self.lists: dict[str, str] = {}

    def drop_events(self, **of: str) -> None:
        [(field, value)] = of.items()
        self.events = {key: done for key, done in self.events.items() if getattr(done, field) != value}


class _Machine(RuleBasedStateMachine):
    url: str

    def __init__(self) -> None:
        super().__init__()
        self.database = Database.open(self.url)
        fresh = len(self.database.tenants())
        self.tenants: dict[str, Tenant] = {n: self.database.create_tenant(f"{n}{fresh}") for n in "ab"}
        self.models = {"a": _Model(), "b": _Model()}

    def teardown(self) -> None:
        self.database.close()

    @rule(tenant=_TENANTS, key=_IDS, title=_IDS)
    def put(self, tenant: str, key: str, title: str) -> None:
        item, user = Item(item_id=key, title=title), User(user_id=key, attributes={"x": title})
        self.tenants[tenant].put_items([item])
        self.tenants[tenant].put_users([user])
        self.models[tenant].items[key] = item
        self.models[tenant].users[key] = user

    @rule(tenant=_TENANTS, key=_IDS, user=_IDS, item=_IDS)
    def add_event(self, tenant: str, key: str, user: str, item: str) -> None:
        model, sent = self.models[tenant], event(item, user, event_id=key)
        [outcome] = self.tenants[tenant].add_events([sent])
        expected: Stored | type[DataError]
        if key in model.events:
            expected = Stored(sent, repeated=True) if model.events[key] == sent else Conflict
        else:
            expected = Stored(sent, repeated=False) if item in model.items else NotFound
        if isinstance(expected, Stored):
            assert outcome == expected
            model.events[key] = sent
            model.users.setdefault(user, User(user_id=user))
        else:
            assert type(outcome) is expected

    @rule(tenant=_TENANTS, key=_IDS, user=_IDS)
    def save(self, tenant: str, key: str, user: str) -> None:
        model, given = self.models[tenant], answer(key, user)
        error = NotFound if user not in model.users else Conflict if key in model.lists else None
        if error:
            with pytest.raises(error):
                self.tenants[tenant].save_recommendation(given, {})
        else:
            self.tenants[tenant].save_recommendation(given, {})
            model.lists[key] = user

    @rule(tenant=_TENANTS, key=_IDS)
    def delete_item(self, tenant: str, key: str) -> None:
        model = self.models[tenant]
        if key in model.items:
            self.tenants[tenant].delete_item(key)
            del model.items[key]
            model.drop_events(item_id=key)
        else:
            with pytest.raises(NotFound):
                self.tenants[tenant].delete_item(key)

    @rule(tenant=_TENANTS, key=_IDS)
    def delete_event(self, tenant: str, key: str) -> None:
        if self.models[tenant].events.pop(key, None):
            self.tenants[tenant].delete_event(key)
        else:
            with pytest.raises(NotFound):
                self.tenants[tenant].delete_event(key)

    @rule(tenant=_TENANTS, key=_IDS)
    def erase(self, tenant: str, key: str) -> None:
        model = self.models[tenant]
        self.tenants[tenant].erase_user(key)
        model.users.pop(key, None)
        model.drop_events(user_id=key)
        model.lists = {name: user for name, user in model.lists.items() if user != key}

    @invariant()
    def each_holds_its_own(self) -> None:
        for name, model in self.models.items():
            snapshot = self.tenants[name].snapshot()
            assert {item.item_id: item for item in snapshot.items} == model.items
            assert {user.user_id: user for user in snapshot.users} == model.users
            assert {done.event_id: done for done in snapshot.events} == model.events
            for key in ("1", "2"):
                if key in model.lists:
                    assert self.tenants[name].recommendation(key).recommendation.user_id == model.lists[key]
                else:
                    with pytest.raises(NotFound):
                        self.tenants[name].recommendation(key)


def test_tenants_never_mix(url: str) -> None:
    machine = type("Machine", (_Machine,), {"url": url})
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=25))
