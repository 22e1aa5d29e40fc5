"""How often and in what form the model is asked: windows, orders, calibration, retries, salts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from genrec import Config, EngineBusy, Item, Store, User
from genrec.engine import Sampling
from genrec.engine.base import Chunk, Messages
from genrec.ranking import LABELS
from genrec.testing import ScriptedEngine
from tests.conftest import Scripted


def _store(count: int) -> Store:
    return Store([Item(item_id=f"i{n}", title=f"Item {n}") for n in range(count)], [User(user_id="u")])


def _shown(messages: Messages) -> list[str]:
    return re.findall(r"^[A-Z]\. (Item \d+)$", messages[-1]["content"], re.MULTILINE)


class _Forgetful(ScriptedEngine):
    """Writes one answer after the other."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self._texts = list(texts)
        self.samplings: list[Sampling] = []

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        self.samplings.append(sampling)
        yield Chunk(self._texts.pop(0), "stop")


def test_up_to_two_hundred_candidates_are_ranked_and_the_calls_counted(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    answer = scripted(engine, store=_store(250), candidates=200, explain=False).recommend("u", 40)
    assert len(answer.trace.candidates) == 200
    assert answer.trace.model_calls == len(engine.prompts) == 9
    assert len({item.item_id for item in answer.items}) == 40
    assert all(found.label in LABELS and found.model_logprob is not None for found in answer.trace.candidates)


def test_each_order_is_a_turn_of_the_first(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    answer = scripted(engine, store=_store(8), permutations=4, explain=False).recommend("u", 8)
    assert answer.trace.model_calls == len(engine.prompts) == 4
    first, *others = map(_shown, engine.prompts)
    assert others == [first[turn:] + first[:turn] for turn in (2, 4, 6)]
    # A model that only knows letters likes all items as much when each has stood at evenly spread places.
    assert (
        len({round(item.score, 6) for item in scripted(store=_store(4), permutations=4).recommend("u", 4).items}) == 1
    )


def test_calibration_takes_off_what_is_said_of_nothing_and_asks_once(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    recommender = scripted(engine, store=_store(6), calibrate=True, explain=False)
    first, second = recommender.recommend("u", 6), recommender.recommend("u", 6)
    assert (first.trace.model_calls, second.trace.model_calls) == (2, 1)
    assert "Item" not in engine.prompts[0][-1]["content"].split("Items:")[1]
    # This engine looks at letters alone, so nothing is left: the retriever's order.
    assert {item.score for item in first.items} == {0.0}
    assert [item.item_id for item in first.items] == [candidate.item_id for candidate in first.trace.candidates]


def test_windows_of_one_size_share_one_calibration(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    settings = {"candidates": 40, "permutations": 2, "calibrate": True, "explain": False}
    answer = scripted(engine, store=_store(40), **settings).recommend("u", 5)
    # Two windows of 20 and a last one of 26, in two orders each, and one question for each length of list.
    assert answer.trace.model_calls == len(engine.prompts) == 3 * 2 + 2


def test_a_useless_list_is_asked_for_once_more(scripted: Scripted) -> None:
    good = json.dumps([{"label": "B", "reason": ""}, {"label": "A", "reason": ""}])
    engine = _Forgetful("I cannot say.", good)
    answer = scripted(engine, store=_store(4), strategy="json").recommend("u", 2)
    assert answer.fallback is None
    assert answer.trace.retried
    assert answer.trace.model_calls == 2
    first, second = engine.samplings
    assert (first.temperature, second.temperature) == (0.0, 0.7)
    assert first.schema == second.schema


def test_it_is_asked_for_twice_at_most(scripted: Scripted) -> None:
    engine = _Forgetful("I cannot say.", "Really not.", "[]")
    answer = scripted(engine, store=_store(4), strategy="json").recommend("u", 2)
    assert answer.fallback is not None
    assert "Really not." in answer.fallback.cause
    assert len(engine.samplings) == 2


def test_a_busy_engine_is_a_marked_fallback(scripted: Scripted) -> None:
    answer = scripted(ScriptedEngine(error=EngineBusy("1024 calls wait"))).recommend("ann", 2)
    assert answer.fallback is not None
    assert answer.fallback.cause == "EngineBusy: 1024 calls wait"


@pytest.mark.parametrize("strategy", ["labels", "json"])
def test_every_call_carries_the_salt_of_the_tenant(scripted: Scripted, strategy: str) -> None:
    engine = ScriptedEngine()
    scripted(engine, strategy=strategy, cache_salt="tenant-7", calibrate=True).recommend("ann", 2)
    assert engine.cache_salts
    assert set(engine.cache_salts) == {"tenant-7"}


def test_json_takes_one_window() -> None:
    with pytest.raises(ValueError, match="candidates is 27: the strategy json takes at most 26"):
        Config(strategy="json", candidates=27)


def test_n_of_json_is_one_window(scripted: Scripted) -> None:
    with pytest.raises(ValueError, match="n is 27: ask for 1 to 26 items"):
        scripted(strategy="json").recommend("ann", 27)


def test_many_users_share_the_line(scripted: Scripted) -> None:
    recommender = scripted(ScriptedEngine(delay_s=0.05), explain=False)

    async def everybody() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(recommender.arecommend("ann", 2) for _ in range(20)))
        return loop.time() - start

    assert asyncio.run(everybody()) < 20 * 0.05
