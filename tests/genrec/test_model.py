"""The real encoder and the real model: what scripted engines cannot show."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence

import pytest

from eval.audit import problems
from genrec import Config, Context, Recommender, runner
from genrec.engine import LabelScores, Sampling, VllmEngine
from genrec.engine.base import Messages, collect
from genrec.ranking import LABELS, list_schema

pytestmark = pytest.mark.model

_CONTEXT = Context.model_validate({"time": "2026-11-23T20:30", "place": "Copenhagen", "device": "TV"})


def _with(films: Recommender, **settings: object) -> Recommender:
    return Recommender(films.store, films.retriever, films.pack, films.engine, Config.model_validate(settings))


@pytest.mark.parametrize("strategy", ["labels", "json"])
def test_answers_are_sound_for_a_sample_of_users(films: Recommender, strategy: str) -> None:
    recommender = _with(films, strategy=strategy)
    for user_id in ("maya", "ben", "noor") if strategy == "json" else films.store.user_ids[:12]:
        answer = recommender.recommend(user_id, context=_CONTEXT)
        assert answer.fallback is None
        assert problems(answer, films.store, 5, _CONTEXT.fields()) == []


def test_every_candidate_gets_a_finite_score_and_items_get_reasons(films: Recommender) -> None:
    answer = films.recommend("maya")
    assert len(answer.trace.candidates) == 20
    assert all(
        candidate.model_logprob is not None and candidate.model_logprob < 0 for candidate in answer.trace.candidates
    )
    assert all(item.reason for item in answer.items)
    rejected = sum(item.reason.source == "template" for item in answer.items if item.reason)
    assert rejected == len(answer.trace.rejected_reasons)


def test_the_model_changes_the_order_where_it_has_weight(films: Recommender) -> None:
    answer = _with(films, model_weight=1.0, explain=False).recommend("maya")
    best = sorted(answer.trace.candidates, key=lambda candidate: -(candidate.model_logprob or -math.inf))
    assert [item.item_id for item in answer.items] == [candidate.item_id for candidate in best[:5]]
    assert {item.source for item in answer.items} == {"llm"}


def test_rows_of_one_batch_keep_their_own_labels(films: Recommender) -> None:
    """vLLM warns that rows with different `logprob_token_ids` may overwrite each other: this would show it."""
    messages: list[Messages] = [
        [{"role": "user", "content": f"Name a letter that you like, {who}."}] for who in ("Ann", "Bob")
    ]
    labels: list[Sequence[str]] = [LABELS[:5], LABELS[10:26]]

    async def together() -> list[LabelScores]:
        return await asyncio.gather(*map(films.engine.score_labels, messages, labels))

    alone = [runner.run(films.engine.score_labels(*row)) for row in zip(messages, labels, strict=True)]
    for one, many, wanted in zip(alone, runner.run(together()), labels, strict=True):
        assert list(many.logprobs) == list(wanted)
        for label in wanted:
            assert many.logprobs[label] == pytest.approx(one.logprobs[label], abs=1e-3)


def test_structured_answers_are_valid(films: Recommender) -> None:
    messages = [{"role": "user", "content": "Choose three of the films A, B and C, with a reason each, as JSON."}]
    schema = list_schema("ABC", 3)
    answer = runner.run(collect(films.engine.generate(messages, Sampling(max_tokens=300, schema=schema))))
    assert answer.finish_reason == "stop"
    rows = json.loads(answer.text)
    assert len(rows) == 3
    assert {row["label"] for row in rows} <= set("ABC")


def test_the_model_continues_a_begun_answer(films: Recommender) -> None:
    messages = [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "The capital of France is"},
    ]
    answer = runner.run(collect(films.engine.generate(messages, Sampling(max_tokens=8))))
    assert "Paris" in answer.text
    assert "capital" not in answer.text


def test_windows_orders_and_calibration_on_the_real_model(films: Recommender) -> None:
    settings = {"candidates": 40, "permutations": 2, "calibrate": True, "model_weight": 0.5, "explain": False}
    answer = _with(films, **settings).recommend("maya", 10)
    # Two windows of 20 and a final of 26, in two orders each, and one question for each length of list.
    assert answer.trace.model_calls == 3 * 2 + 2
    assert len(answer.trace.candidates) == 40
    assert len({item.item_id for item in answer.items}) == 10


def test_tenants_share_nothing_in_the_prefix_cache(films: Recommender) -> None:
    def cached(salt: str) -> int:
        variant = _with(films, cache_salt=salt, explain=False)
        return variant.recommend("ben", context=_CONTEXT).usage.cached_tokens

    assert [cached("one"), cached("one") > 0, cached("two")] == [0, True, 0]


def test_a_prompt_is_tokenised_once(films: Recommender) -> None:
    assert isinstance(films.engine, VllmEngine)
    messages = [{"role": "user", "content": "A prompt that nobody has used before."}]
    first = films.engine.tokens(messages)
    assert films.engine.tokens([dict(messages[0])]) is first
    assert runner.run(films.engine.count_tokens(messages)) == len(first)


def test_any_film_is_explained_in_both_languages(films: Recommender) -> None:
    english = films.explain("maya", "heat-1995", context=_CONTEXT)
    assert english.reason.text.startswith("Because ")
    chinese = films.explain("maya", "heat-1995", context=_CONTEXT, language="zh")
    assert chinese.reason.text.startswith("因为")
    assert english.fallback is chinese.fallback is None
    assert films.explain("maya", "heat-1995", context=_CONTEXT) == english.model_copy(
        update={"usage": english.usage.model_copy(update=dict.fromkeys(english.usage.model_dump(), 0))}
    )


def test_reasons_stream_at_places_that_do_not_move(films: Recommender) -> None:
    fresh = _with(films)
    states = list(fresh.stream("noor", context=_CONTEXT))
    assert len({tuple(item.item_id for item in state.items) for state in states}) == 1
    counts = [sum(item.reason is not None for item in state.items) for state in states]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 5)


def test_a_shared_prompt_is_served_from_the_cache(films: Recommender) -> None:
    again = [films.recommend("maya") for _ in range(2)][-1]
    assert again.usage.cached_tokens > again.usage.prompt_tokens / 2


def test_cancelling_frees_the_model(films: Recommender) -> None:
    assert isinstance(films.engine, VllmEngine)
    vllm = films.engine.vllm

    async def give_up() -> None:
        sampling = Sampling(max_tokens=2000)
        task = asyncio.ensure_future(collect(films.engine.generate([{"role": "user", "content": "Count."}], sampling)))
        await asyncio.sleep(1)
        assert vllm.output_processor.get_num_unfinished_requests() == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert vllm.output_processor.get_num_unfinished_requests() == 0
        await asyncio.wait_for(films.engine.check(), timeout=10)

    runner.run(give_up())
