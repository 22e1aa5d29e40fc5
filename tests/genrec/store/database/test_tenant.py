"""What a tenant is promised: what was written is read back, once, in order, with errors that name the cure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec import Conflict, DataError, Event, Item, NotFound, User
from genrec.store.database import Database, Feedback, Mark, Stored, Tenant, catalogue
from genrec.store.database.turn import view
from tests.genrec.store.database.conftest import ITEMS, answer, event

_NEW = Mark(0, 0)


def test_records_come_back_as_they_were(tenant: Tenant) -> None:
    item = Item(
        item_id="7 / ü",
        title="椅子",
        description="line\nline",
        categories=("Home", "Light"),
        price=0.1 + 0.2,
        attributes={"z": "1", "a": 2, "m": 2.0, "b": True, "l": ["x", "y"], "huge": 10**30},
        image="http://x/y.png",
        created_at="2026-11-01T10:00:00.123456+08:00",
    )
    user = User(user_id="ann", attributes={"b": 1, "a": "x"})
    done = event(
        "7 / ü", timestamp="2026-11-01T10:00:00+08:00", value=4.5, context={"time": "2026-11-01", "y": 1, "x": True}
    )
    tenant.put_items([item])
    tenant.put_users([user])
    [stored] = tenant.add_events([done])
    assert isinstance(stored, Stored)
    assert tenant.item("7 / ü") == item
    assert list(tenant.item("7 / ü").attributes) == list(item.attributes)
    assert tenant.user("ann") == user
    assert tenant.history("ann", 5) == [stored.event]
    assert stored.event.model_copy(update={"event_id": None}) == done
    assert str(tenant.history("ann", 5)[0].timestamp) == "2026-11-01 10:00:00+08:00"


_attributes = st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.lists(st.text()) | st.floats())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(attributes=_attributes, text=st.text(min_size=1), time=st.datetimes())
def test_anything_is_read_back_as_it_was_or_refused(
    tenant: Tenant, attributes: object, text: str, time: object
) -> None:
    item = Item.model_validate({"item_id": text, "title": "x", "attributes": attributes, "created_at": time})
    try:
        tenant.put_items([item])
    except DataError:
        unsaid = any(isinstance(value, float) and value - value != 0 for value in item.attributes.values())
        assert unsaid or "\0" in text
    else:
        assert tenant.item(text) == item


def test_a_tenant_begins_with_all_of_its_data_or_with_nothing(database: Database) -> None:
    made = database.create_tenant("new")
    with pytest.raises(DataError, match="names item 'sofa'"):
        made.fill(ITEMS, [User(user_id="ann")], [event(), event(item_id="sofa")])
    empty = made.snapshot()
    assert (empty.items, empty.users, empty.events) == ((), (), ())
    made.fill(ITEMS, [User(user_id="ann")], [event()] * 2)
    whole = made.snapshot()
    assert (len(whole.items), len(whole.users), len(whole.events)) == (3, 1, 2)


def test_pages_go_through_all_ids_once(tenant: Tenant) -> None:
    ids = ["a", "B", "ß", "Z", "椅", "a b", "😀", "10", "9"]
    tenant.put_items([Item(item_id=item_id, title="x") for item_id in ids])
    tenant.put_users([User(user_id=user_id) for user_id in ids])
    pages: list[str] = []
    while found := tenant.items(after=pages[-1] if pages else "", limit=4):
        pages += [item.item_id for item in found]
    assert pages == sorted([*ids, "lamp", "chair", "desk"])
    assert [user.user_id for user in tenant.users(limit=3)] == sorted(ids)[:3]


def test_what_is_put_again_is_replaced(tenant: Tenant) -> None:
    tenant.put_items([Item(item_id="lamp", title="Lamp", price=2)])
    tenant.put_users([User(user_id="ann")])
    tenant.put_users([User(user_id="ann", attributes={"age": 3})])
    assert tenant.item("lamp").price == 2
    assert tenant.user("ann").attributes == {"age": 3}
    assert len(tenant.snapshot().items) == 3


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"item_id": "a\0b"}, "holds a NUL"),
        ({"item_id": "x" * 513}, "has 513 characters"),
        ({"item_id": "x", "price": float("inf")}, "send finite numbers"),
        ({"item_id": "x", "attributes": {"a": "\ud800"}}, "valid text"),
        ({"item_id": "ok"}, "'ok' is there twice"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(
    tenant: Tenant, item: dict[str, object], message: str
) -> None:
    bad = Item.model_validate({"title": "x", **item})
    with pytest.raises(DataError, match=message):
        tenant.put_items([Item(item_id="ok", title="x"), bad])
    assert {item.item_id for item in tenant.items()} == {"lamp", "chair", "desk"}


def test_the_longest_id_is_kept_whatever_its_characters(tenant: Tenant) -> None:
    longest = "😀" * 512
    tenant.put_items([Item(item_id=longest, title="x")])
    [stored] = tenant.add_events([event(longest, longest, event_id=longest)])
    assert isinstance(stored, Stored)
    assert tenant.history(longest, 1) == [stored.event]


@pytest.mark.parametrize("key", ["nobody", "a\0b", "\ud800"])
def test_an_unknown_id_is_named(tenant: Tenant, key: str) -> None:
    for ask in (tenant.item, tenant.user, tenant.recommendation, tenant.delete_item, tenant.delete_event):
        with pytest.raises(DataError, match=r"no item|no user|no recommendation|no event|no such text"):
            ask(key)
    with pytest.raises(NotFound, match="nothing is held on user 'nobody'"):
        tenant.export_user("nobody")


def test_events_get_an_id_and_their_user_a_row(tenant: Tenant) -> None:
    first, second = tenant.add_events([event(), event()])
    assert isinstance(first, Stored)
    assert isinstance(second, Stored)
    assert first.event.event_id != second.event.event_id
    assert tenant.user("ann") == User(user_id="ann")
    assert not first.repeated


def test_an_event_counts_once_however_often_it_is_sent(tenant: Tenant) -> None:
    sent = event(event_id="1", context={"a": 1, "b": 2})
    again = event(event_id="1", context={"b": 2, "a": 1})
    assert tenant.add_events([sent]) == [Stored(sent, repeated=False)]
    assert tenant.add_events([again, sent]) == [Stored(again, repeated=True), Stored(sent, repeated=True)]
    assert tenant.history("ann", 9) == [sent]


@pytest.mark.parametrize(
    "other",
    [
        {"item_id": "chair"},
        {"user_id": "bob"},
        {"type": "click"},
        {"value": 1},
        {"context": {"a": 1}},
        {"timestamp": "2026-11-01T12:00:00Z"},
        {"item_id": "nothing"},
    ],
)
def test_an_id_that_stands_for_another_event_is_a_conflict(tenant: Tenant, other: dict[str, object]) -> None:
    tenant.add_events([event(event_id="1")])
    [outcome] = tenant.add_events([Event.model_validate({**event(event_id="1").model_dump(), **other})])
    assert isinstance(outcome, Conflict)
    assert "'1' is there and says something else" in str(outcome)
    assert tenant.history("ann", 9) == [event(event_id="1")]


def test_each_row_has_its_outcome_and_the_good_ones_are_kept(tenant: Tenant) -> None:
    outcomes = tenant.add_events(
        [
            event(event_id="1"),
            event("nothing"),
            event(event_id="1"),
            event("chair", event_id="1"),
            event(context={"x": float("nan")}),
            event(user_id="a\0"),
            event("chair", "bob"),
        ]
    )
    assert [type(outcome).__name__ for outcome in outcomes] == [
        *("Stored", "NotFound", "Stored", "Conflict", "DataError", "DataError", "Stored")
    ]
    assert [outcome.repeated for outcome in outcomes if isinstance(outcome, Stored)] == [False, True, False]
    assert len(tenant.snapshot().events) == 2
    assert tenant.add_events([]) == []


def test_more_events_than_one_statement_takes(tenant: Tenant) -> None:
    many = [event(user_id=f"u{n % 700}", event_id=str(n)) for n in range(1500)]
    assert not any(outcome.repeated for outcome in tenant.add_events(many) if isinstance(outcome, Stored))
    assert all(outcome.repeated for outcome in tenant.add_events(many) if isinstance(outcome, Stored))
    assert tenant.snapshot().events == tuple(many)


def test_events_may_name_the_recommendation_that_led_to_them(tenant: Tenant) -> None:
    tenant.put_users([User(user_id="ann")])
    tenant.save_recommendation(answer("r1"), {})
    [stored] = tenant.add_events([event(event_id="1")], recommendation_id="r1")
    [again] = tenant.add_events([event(event_id="1")], recommendation_id="r1")
    [other] = tenant.add_events([event(event_id="1")])
    [unknown] = tenant.add_events([event(event_id="2")], recommendation_id="r2")
    assert (stored, again) == (Stored(event(event_id="1"), repeated=False), Stored(event(event_id="1"), repeated=True))
    assert isinstance(other, Conflict)
    assert isinstance(unknown, NotFound)
    assert tenant.export_user("ann")["events"][0]["recommendation_id"] == "r1"


def test_two_threads_that_send_the_same_event_store_it_once(tenant: Tenant) -> None:
    both = Barrier(2, timeout=10)

    def send(number: int) -> list[bool]:
        repeated = []
        for name in range(20):
            both.wait()
            [outcome] = tenant.add_events([event(event_id=str(name), user_id=f"new{name}")])
            assert isinstance(outcome, Stored)
            repeated.append(outcome.repeated)
        return repeated

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(send, range(2))
    assert [one + other for one, other in zip(first, second, strict=True)] == [1] * 20
    assert len(tenant.snapshot().events) == 20


def test_a_history_is_newest_first_and_ends_where_asked(tenant: Tenant) -> None:
    times = ["2026-11-02T00:00:00Z", None, "2026-11-01T23:00:00-08:00", "2026-11-02T00:00:00Z", "0001-01-01T00:00:00Z"]
    tenant.add_events([event(event_id=str(n), timestamp=time) for n, time in enumerate(times)])
    assert [event.event_id for event in tenant.history("ann", 9)] == ["2", "3", "0", "4", "1"]
    assert [event.event_id for event in tenant.history("ann", 2)] == ["2", "3"]
    assert tenant.history("nobody", 2) == []


def test_changes_are_what_was_written_since(tenant: Tenant) -> None:
    mark = tenant.snapshot().mark
    nothing = tenant.changes(mark)
    assert (nothing.items, nothing.users, nothing.events, nothing.mark, nothing.stale) == ((), (), (), mark, False)
    tenant.put_items([Item(item_id="lamp", title="New lamp")])
    tenant.put_users([User(user_id="bob")])
    tenant.add_events([event("lamp", "bob", event_id="2"), event("chair", "ann", event_id="1")])
    changes = tenant.changes(mark)
    assert [item.title for item in changes.items] == ["New lamp"]
    assert [user.user_id for user in changes.users] == ["bob", "ann"]
    assert [event.event_id for event in changes.events] == ["2", "1"]
    assert tenant.changes(changes.mark).events == ()


def test_snapshot_and_changes_make_the_same(tenant: Tenant) -> None:
    tenant.add_events([event(event_id="1")])
    since = tenant.changes(_NEW)
    snapshot = tenant.snapshot()
    assert (since.items, since.users, since.events, since.mark) == (
        *(snapshot.items, snapshot.users, snapshot.events, snapshot.mark),
    )
    assert snapshot.items == tuple(ITEMS)


def test_whoever_has_read_what_is_gone_is_told(tenant: Tenant) -> None:
    for remove in (
        lambda: tenant.delete_event("1"),
        lambda: tenant.delete_item("lamp"),
        lambda: tenant.erase_user("ann"),
    ):
        tenant.put_items(ITEMS)
        tenant.add_events([event(event_id="1")])
        mark = tenant.snapshot().mark
        remove()
        changes = tenant.changes(mark)
        assert changes.stale
        assert (changes.items, changes.events) == ((), ())
        assert not tenant.changes(changes.mark).stale
        assert tenant.history("ann", 9) == []


def test_a_mark_from_before_a_backup_was_restored_is_stale(tenant: Tenant) -> None:
    mark = tenant.snapshot().mark
    assert tenant.changes(Mark(mark.seq + 1, mark.epoch)).stale


def test_an_item_goes_with_its_events(tenant: Tenant) -> None:
    tenant.add_events([event("lamp", event_id="1"), event("chair", event_id="2")])
    tenant.delete_item("lamp")
    assert [event.event_id for event in tenant.snapshot().events] == ["2"]
    with pytest.raises(NotFound, match="removed already"):
        tenant.delete_item("lamp")


def test_a_forgotten_event_may_be_sent_again(tenant: Tenant) -> None:
    tenant.add_events([event(event_id="1")])
    tenant.delete_event("1")
    assert tenant.history("ann", 9) == []
    assert tenant.add_events([event("chair", event_id="1")]) == [Stored(event("chair", event_id="1"), repeated=False)]
    with pytest.raises(NotFound, match="forgotten already"):
        tenant.delete_event("2")


def test_recommendations_are_kept_with_what_was_asked(tenant: Tenant) -> None:
    tenant.put_users([User(user_id="ann")])
    tenant.save_recommendation(answer("r1"), {"n": 1, "context": {"place": "Köln"}})
    saved = tenant.recommendation("r1")
    assert saved.recommendation == answer("r1")
    assert saved.request == {"n": 1, "context": {"place": "Köln"}}
    assert saved.created_at.utcoffset() is not None
    with pytest.raises(Conflict, match="'r1' is there already"):
        tenant.save_recommendation(answer("r1"), {})
    with pytest.raises(DataError, match="the request cannot be kept"):
        tenant.save_recommendation(answer("r2"), {"n": object()})


def test_a_recommendation_is_completed_in_its_place(tenant: Tenant) -> None:
    tenant.put_users([User(user_id="ann")])
    tenant.save_recommendation(answer("r1"), {"n": 1})
    tenant.complete_recommendation(answer("r1", reason="Bright and warm."))
    saved = tenant.recommendation("r1")
    assert (saved.recommendation, saved.request) == (answer("r1", reason="Bright and warm."), {"n": 1})
    with pytest.raises(NotFound, match="no recommendation 'r2' to complete"):
        tenant.complete_recommendation(answer("r2"))


def test_a_recommendation_of_one_who_was_erased_meanwhile_is_not_kept(tenant: Tenant) -> None:
    tenant.put_users([User(user_id="ann")])
    tenant.erase_user("ann")
    with pytest.raises(NotFound, match="add the user first"):
        tenant.save_recommendation(answer("r1"), {})


def test_the_last_verdict_counts(tenant: Tenant) -> None:
    tenant.put_users([User(user_id="ann")])
    tenant.save_recommendation(answer("r1"), {})
    tenant.add_feedback(Feedback("r1", "lamp", "wrong"))
    tenant.add_feedback(Feedback("r1", "lamp", "helpful"))
    [kept] = tenant.export_user("ann")["feedback"]
    assert kept["verdict"] == "helpful"
    with pytest.raises(NotFound, match="no recommendation 'r2'"):
        tenant.add_feedback(Feedback("r2", "lamp", "helpful"))
    with pytest.raises(NotFound, match="'chair' is not in recommendation 'r1'"):
        tenant.add_feedback(Feedback("r1", "chair", "helpful"))
    with pytest.raises(DataError, match="verdict 'great' is none of helpful"):
        tenant.add_feedback(Feedback("r1", "lamp", "great"))  # type: ignore[arg-type]


def test_a_version_of_a_prompt_never_changes(tenant: Tenant) -> None:
    tenant.keep_prompt("shop", "1", {"rank.j2": "a", "explain.j2": "b"})
    tenant.keep_prompt("shop", "1", {"explain.j2": "b", "rank.j2": "a"})
    tenant.keep_prompt("shop", "0", {"rank.j2": "c"})
    tenant.keep_prompt("blog", "1", {})
    assert tenant.prompt("shop", "1") == {"rank.j2": "a", "explain.j2": "b"}
    assert [kept.version for kept in tenant.prompt_versions("shop")] == ["1", "0"]
    assert tenant.prompt_names() == ["blog", "shop"]
    with pytest.raises(Conflict, match="version '1' of prompt 'shop' is kept with other files"):
        tenant.keep_prompt("shop", "1", {"rank.j2": "x"})
    with pytest.raises(NotFound, match="no version '2' of prompt 'shop'"):
        tenant.prompt("shop", "2")


def test_a_label_moves_only_from_where_the_mover_believes_it(tenant: Tenant) -> None:
    for version in ("1", "2"):
        tenant.keep_prompt("shop", version, {})
    first = tenant.move_label("shop", "production", "1", by="ann", expected=None)
    tenant.move_label("shop", "candidate", "2", by="ann", expected=None)
    with pytest.raises(Conflict, match="stands at '1', not None"):
        tenant.move_label("shop", "production", "2", by="bob", expected=None)
    last = tenant.move_label("shop", "production", "2", by="bob", expected="1")
    assert tenant.label_moves("shop")[0] == first
    assert tenant.label_moves("shop")[2] == last
    assert (last.label, last.version, last.by) == ("production", "2", "bob")
    assert tenant.label_moves("blog") == []
    with pytest.raises(NotFound, match="no version '3'"):
        tenant.move_label("shop", "production", "3", by="bob", expected="2")


def test_what_one_process_writes_another_reads(database: Database, url: str, tenant: Tenant) -> None:
    other = Database.open(url)
    mark = other.tenant("acme").snapshot().mark
    tenant.add_events([event(event_id="1")])
    assert other.tenant("acme").changes(mark).events == (event(event_id="1"),)
    other.close()


def test_a_view_is_of_one_moment(database: Database, tenant: Tenant) -> None:
    """A snapshot is several queries: what is written between them is in none of them."""
    with view(database._link, "acme") as before:
        mark = before.mark()
        tenant.add_events([event(event_id="1")])
        assert catalogue.snapshot(before).events == ()
        assert before.mark() == mark
    assert len(tenant.snapshot().events) == 1


def test_whoever_follows_the_changes_misses_none(url: str, tenant: Tenant) -> None:
    """Two processes write at once; numbers that were taken in another order than committed would be passed over."""
    one, other = Database.open(url, timeout_s=60), Database.open(url, timeout_s=60)
    writers = [one.tenant("acme"), other.tenant("acme")] * 2
    mark, seen = tenant.snapshot().mark, []

    def write(number: int) -> None:
        for name in range(25):
            writers[number].add_events([event(event_id=f"{number}-{name}", user_id=str(number))])

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(write, number) for number in range(4)]
        while not all(done.done() for done in running):
            changes = tenant.changes(mark)
            seen += [str(done.event_id) for done in changes.events]
            mark = changes.mark
    for done in running:
        done.result()
    seen += [str(done.event_id) for done in tenant.changes(mark).events]
    assert sorted(seen) == sorted(f"{number}-{name}" for number in range(4) for name in range(25))
    one.close()
    other.close()
