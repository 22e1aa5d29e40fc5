"""Examples are what would have been served, and know nothing of what came later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from genrec import Config, Event, Item, Recommender, Store, User
from genrec.errors import DataError
from genrec.learn.examples import Example, Examples, Sampling, build_examples
from genrec.learn.replay import Timeline
from genrec.prompting import load_pack
from genrec.testing import FakeEncoder, ScriptedEngine

_DAY = datetime(2026, 3, 1, tzinfo=UTC)
_UNHEARD = "Zanzibar"
_PACK = load_pack("general")
_SAMPLING = Sampling(candidates=5, history=3, forms=3, held_back=0.4)


def _event(user: int, item: int, day: float, **more: object) -> Event:
    when = _DAY + timedelta(days=day)
    return Event.model_validate(
        {"user_id": f"u{user}", "item_id": f"i{item}", "type": "cart", "timestamp": when} | more
    )


def _store(events: list[Event]) -> Store:
    items = [Item(item_id=f"i{n}", title=f"Thing {n}", categories=(f"kind {n % 3}",)) for n in range(30)]
    items.append(Item(item_id="secret", title=_UNHEARD))
    return Store(items, [User(user_id=f"u{n}", attributes={"age": 20 + n, "city": "Oslo"}) for n in range(12)], events)


def _events() -> list[Event]:
    """Twelve people who take ten things each, all interleaved in time."""
    return [_event(user, (user * 7 + step * 3) % 30, step + user / 24) for user in range(12) for step in range(10)]


def _built(store: Store, sampling: Sampling = _SAMPLING, **more: object) -> Examples:
    return build_examples(store, [_PACK], sampling, encoder=FakeEncoder(), **more)  # type: ignore[arg-type]


def _texts(examples: Examples) -> list[str]:
    return ["\n".join(message["content"] for message in example.prompt.messages) for example in _all(examples)]


def test_the_prompt_is_the_one_that_was_served(own_cache: object) -> None:
    """Each take is asked for from a recommender that holds what had happened by then, and nothing else."""
    store = _store(_events())
    built = {(e.user_id, e.time): e for e in _built(store, _SAMPLING.model_copy(update={"forms": 1})).training}
    assert len(built) > 20
    compared = 0
    for take in Timeline(store).takes()[40:60]:
        example = built.get((take.event.user_id, take.event.timestamp))
        if example is None:
            continue
        past = _store([event for event in _events() if event.timestamp and event.timestamp < take.event.timestamp])
        engine = ScriptedEngine()
        config = Config(candidates=5, history=3, model_weight=1.0, explain=False)
        served = Recommender.from_store(past, pack=_PACK, engine=engine, encoder=FakeEncoder(), config=config)
        served.recommend(take.event.user_id, 5, context=take.event.moment)
        assert engine.prompts == [example.prompt.messages]
        compared += 1
    assert compared


def test_no_future_in_a_prompt(own_cache: object) -> None:
    """Everybody did something unheard of at the very end: no prompt knows, though it would be popular by far."""
    last = [_event(user, 0, 12, item_id="secret") for user in range(12)]
    quiet, planted = (_built(_store([*_events(), *more])) for more in ([], last))
    assert not any(_UNHEARD in text for text in _texts(quiet))
    shown = [
        e for e in (*planted.training, *planted.validation, *planted.gate) if e.time and e.time < last[0].moment.time
    ]
    assert shown
    assert not any(_UNHEARD in message["content"] for e in shown for message in e.prompt.messages)


def test_what_was_taken_is_all_that_came_until_the_part_ended(own_cache: object) -> None:
    events = _events()
    cut = sorted(event.moment.time for event in events if event.moment.time)[int(0.8 * len(events))]
    found = _built(_store(events))
    for example in _all(found):
        assert example.time is not None
        ends = cut if example.time < cut else _DAY + timedelta(days=99)
        coming = {e.item_id for e in events if e.user_id == example.user_id and example.time <= e.moment.time < ends}
        lines = [line for line in example.prompt.messages[-1]["content"].splitlines() if line.endswith("]")]
        listed = [f"i{line.split()[1].rstrip(';')}" for line in lines]
        assert example.sought == len(coming)
        asks = "They ask for" in example.prompt.messages[-1]["content"]
        there = {place for place, item_id in enumerate(listed) if item_id in coming}
        assert set(example.taken) <= there if asks else set(example.taken) == there
        assert example.taken


def _all(examples: Examples) -> list[Example]:
    return [*examples.training, *examples.validation, *examples.gate]


def test_parts_share_no_future_and_no_held_back_user(own_cache: object) -> None:
    found = _built(_store(_events()))
    assert {e.user_id for e in found.gate}.isdisjoint(found.users)
    assert {e.user_id for e in found.validation} <= set(found.users)
    newest = max(e.time for e in found.training if e.time)
    assert all(e.time and e.time > newest for e in (*found.validation, *found.gate))
    assert found.times is not None
    assert found.times[0] < newest < found.times[1]


def test_forms_differ_in_order_and_in_what_is_left_out_but_not_in_what_was_taken(own_cache: object) -> None:
    found = _built(_store(_events()), _SAMPLING.model_copy(update={"dropout": 0.5, "asked": 0}))
    first, second, third = found.training[:3]
    assert first.user_id == second.user_id == third.user_id
    assert len({str(form.prompt.messages) for form in (first, second, third)}) == 3
    assert len({tuple(sorted(form.retrieval[place] for place in form.taken)) for form in (first, second, third)}) == 1
    ages = [sum("age" in text for text in _texts(Examples(found.training[n::3], (), ()))) for n in range(3)]
    assert ages[0] == len(found.training) // 3
    assert 0 < ages[1] < ages[0]


def test_the_same_store_gives_the_same_examples(own_cache: object) -> None:
    assert _built(_store(_events())) == _built(_store(list(reversed(_events()))))


def test_what_was_served_and_left_comes_first(own_cache: object) -> None:
    events = [event.model_copy(update={"event_id": f"e{n}"}) for n, event in enumerate(_events())]
    taken = {event.event_id or "": event.item_id for event in events}
    served = {event_id: ("secret", "i29", item_id) for event_id, item_id in taken.items()}
    for example in _built(_store(events), served=served).training:
        assert _UNHEARD in example.prompt.messages[-1]["content"]
        assert "Thing 29" in example.prompt.messages[-1]["content"]


def test_paraphrases_take_turns(own_cache: object) -> None:
    packs = [_PACK, load_pack("shop")]
    found = build_examples(_store(_events()), packs, _SAMPLING, encoder=FakeEncoder())
    systems = [example.prompt.messages[0]["content"] for example in found.training[:3]]
    assert systems[0] == systems[2] != systems[1]
    assert {e.prompt.messages[0]["content"] for e in (*found.validation, *found.gate)} == {systems[0]}


def test_order_without_times_goes_by_the_place_in_a_history(own_cache: object) -> None:
    found = _built(_store([event.model_copy(update={"timestamp": None}) for event in _events()]))
    assert found.times is None
    assert found.training
    assert found.gate


def test_some_times_and_some_none_is_refused() -> None:
    events = _events()
    events[3] = events[3].model_copy(update={"timestamp": None})
    with pytest.raises(DataError, match="1 of 120 events have no time"):
        Timeline(_store(events))


def test_too_little_is_said(own_cache: object) -> None:
    with pytest.raises(DataError, match="no takes are left for"):
        _built(_store(_events()[:3]))
