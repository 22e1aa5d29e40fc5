"""Lists that use nothing of what is known of a user, and asynchronous states that can be left early."""

from __future__ import annotations

import asyncio

import pytest

from genrec import NotFound
from genrec.testing import ScriptedEngine
from tests.conftest import Scripted


def test_a_list_without_profiling_is_the_same_for_everybody(scripted: Scripted) -> None:
    recommender = scripted()
    lists = [
        [item.model_dump() for item in recommender.recommend(who, 3, instruction="tea", profiling=False).items]
        for who in ("ann", "bob", "nobody")
    ]
    assert lists[0] == lists[1] == lists[2]
    assert {cited["type"] for item in lists[0] for cited in item["evidence"]} <= {"instruction", "item", "context"}


def test_without_profiling_the_prompt_holds_nothing_of_the_user(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    recommender = scripted(engine)
    recommender.recommend("ann", 2, profiling=False)
    assert engine.prompts
    said = [message["content"] for prompt in engine.prompts for message in prompt]
    assert not any("Delft" in text or "purchase" in text for text in said)
    recommender.recommend("ann", 2)
    assert any("Delft" in message["content"] for prompt in engine.prompts for message in prompt)


def test_with_profiling_the_user_has_to_be_known(scripted: Scripted) -> None:
    with pytest.raises(NotFound, match="no user 'nobody'"):
        scripted().recommend("nobody")


def test_asynchronous_states_are_those_of_the_stream(scripted: Scripted) -> None:
    recommender = scripted()

    async def states() -> list[int]:
        return [sum(item.reason is not None for item in s.items) async for s in recommender.astream("ann", 3)]

    counts = asyncio.run(states())
    assert (len(counts), counts[0], counts[-1]) == (6, 0, 3)
    assert counts == sorted(counts)


def test_asynchronous_states_raise_where_they_are_read(scripted: Scripted) -> None:
    async def read() -> None:
        async for _ in scripted().astream("nobody"):
            pass

    with pytest.raises(NotFound):
        asyncio.run(read())


def test_leaving_the_states_early_cancels_the_calls(scripted: Scripted) -> None:
    cancelled = []

    class _Slow(ScriptedEngine):
        async def _begin(self, stage: str, messages: object) -> None:
            try:
                await asyncio.sleep(0 if stage == "score" else 30)
            except asyncio.CancelledError:
                cancelled.append(stage)
                raise

    async def leave() -> None:
        async for state in scripted(_Slow()).astream("ann", 2):
            if not state.provisional:
                break
        for _ in range(100):
            if len(cancelled) == 2:
                return
            await asyncio.sleep(0.02)

    asyncio.run(leave())
    assert cancelled == ["generate", "generate"]


def test_a_shorter_deadline_is_kept(scripted: Scripted) -> None:
    answer = asyncio.run(scripted(ScriptedEngine(delay_s=30)).arecommend("ann", 2, deadline_s=0.1))
    assert answer.fallback is not None
    assert "0.1 s" in answer.fallback.cause


def test_parameters_say_what_counts_in_every_language(scripted: Scripted) -> None:
    said = scripted().parameters()
    assert (said.share.weight, said.share.origin) == (1.0, "configured")
    assert {"semantic", "together", "popularity"} <= {signal.name for signal in said.signals}
    assert all(signal.meaning["en"] and signal.meaning["zh"] for signal in said.signals)
    assert "100%" in said.model_share["en"]
    assert "profiling: false" in said.unprofiled["zh"]
