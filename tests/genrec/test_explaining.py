"""Reasons for single items, in two languages, once for everybody with the same evidence."""

from __future__ import annotations

import json

import pytest

from genrec import Context, EngineError, Event, Filter, Item, NotFound, Recommender, Store, User
from genrec.reasons import ReasonCache
from genrec.testing import ScriptedEngine
from tests.conftest import Scripted


def _prompts(engine: ScriptedEngine, task: str) -> list[str]:
    """What the model was asked for one task."""
    asked = ["\n".join(message["content"] for message in messages) for messages in engine.prompts]
    return [text for text in asked if ("a reason is asked for" in text) == (task == "explain")]


def test_the_prompt_of_a_reason_shows_its_evidence_and_its_item_alone(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    answer = scripted(engine, model_weight=0.0).recommend("ann", 2, instruction="something warm")
    for prompt in _prompts(engine, "explain"):
        assert "Delft" not in prompt
        assert "coffee" not in prompt
    for item in answer.items:
        [prompt] = [prompt for prompt in _prompts(engine, "explain") if f"Item: {item.title};" in prompt]
        assert all(part.text in prompt for part in item.evidence)


def test_the_reasons_of_one_list_share_everything_before_the_item(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    scripted(engine).recommend("ann", 4)
    beginnings = {prompt.split("\nItem: ")[0] for prompt in _prompts(engine, "explain")}
    assert len(beginnings) == 1
    assert len(_prompts(engine, "explain")) == 4


def test_a_reason_is_written_once_for_all_with_the_same_evidence(scripted: Scripted) -> None:
    engine = ScriptedEngine(text=", and 99 people agree.")
    recommender = scripted(engine, model_weight=0.0)
    first, again = recommender.recommend("ann", 2), recommender.recommend("ann", 2)
    assert (first.trace.model_calls, again.trace.model_calls) == (3, 1)
    assert again.items == first.items
    # The check is made each time, and a sentence from the cache is refused like a new one.
    assert again.trace.rejected_reasons == first.trace.rejected_reasons
    recommender.add_items([Item(item_id="black-tea", title="Black tea", categories=("tea",), description="Now better")])
    changed = recommender.recommend("ann", 5)
    assert changed.trace.model_calls > 1


def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    cache = ReasonCache(most=2)
    cache.keep("a", "A")
    cache.keep("b", "B")
    assert cache.get("a") == "A"
    cache.keep("c", "C")
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == ("A", None, "C", 2)


def test_a_failing_engine_leaves_nothing_in_the_cache(scripted: Scripted) -> None:
    recommender = scripted(ScriptedEngine(error=EngineError("down"), stage="generate"))
    recommender.recommend("ann", 2)
    assert len(recommender.setup.reasons) == 0


def test_any_item_can_be_explained(scripted: Scripted) -> None:
    found = scripted().explain("ann", "espresso", context=Context(place="Delft"))
    assert found.item_id == "espresso"
    assert found.evidence
    assert found.score == pytest.approx(sum(found.signals.values()))
    assert found.reason.text
    assert found.fallback is None


def test_a_failure_to_explain_is_said(scripted: Scripted) -> None:
    engine = ScriptedEngine(error=EngineError("down"))
    found = scripted(engine).explain("ann", "black-tea")
    assert found.fallback is not None
    assert found.fallback.cause == "EngineError: down"
    assert found.reason.source == "template"
    with pytest.raises(EngineError):
        scripted(engine, on_failure="raise").explain("ann", "black-tea")


@pytest.mark.parametrize("ask", ["explain", "why_not"])
def test_an_unknown_item_is_named(scripted: Scripted, ask: str) -> None:
    with pytest.raises(NotFound, match="'green'"):
        getattr(scripted(), ask)("ann", "green")


def test_why_not_says_what_is_above_and_what_is_missing(scripted: Scripted) -> None:
    recommender = scripted(model_weight=0.0)
    last = recommender.recommend("ann", 5).items[-1]
    found = recommender.why_not("ann", last.item_id, n=2)
    assert (found.rank, found.of, found.excluded) == (5, 5, None)
    assert [above.item_id for above in found.above] == [i.item_id for i in recommender.recommend("ann", 2).items]
    assert found.missing
    assert all(gap.above > gap.item for gap in found.missing)
    assert found.missing[0].signal in {"semantic", "category"}
    assert found.text.startswith(f"{last.title} is in place 5 of 5. What those above it have more of: ")


def test_why_not_of_what_is_shown_seen_or_filtered(scripted: Scripted) -> None:
    recommender = scripted(model_weight=0.0)
    best = recommender.recommend("ann", 1).items[0]
    assert recommender.why_not("ann", best.item_id, n=1).text == f"{best.title} is recommended, in place 1."
    seen = recommender.why_not("ann", "green-tea")
    assert (seen.excluded, seen.rank) == ("seen", None)
    assert seen.text == "Green tea is not recommended: you have met it already."
    left_out = recommender.why_not("ann", "mocha", filter=Filter(where={"category": "tea"}))
    assert left_out.excluded == "filter"
    assert left_out.text == "Mocha is not recommended: the filter leaves it out."


def test_a_sentence_that_the_model_only_ended_is_a_plain_reason(scripted: Scripted) -> None:
    for text, source in ((".", "template"), (", a tea to drink.", "llm")):
        answer = scripted(ScriptedEngine(text=text)).recommend("ann", 2)
        assert {item.reason.source for item in answer.items if item.reason} == {source}
        assert answer.trace.rejected_reasons == ()


def test_a_contrast_sums_to_both_scores(scripted: Scripted) -> None:
    recommender = scripted()
    found = recommender.contrast("ann", "black-tea", "mocha", context=Context(place="Delft"))
    assert sum(d.a for d in found.differences) == pytest.approx(found.score_a)
    assert sum(d.b for d in found.differences) == pytest.approx(found.score_b)
    assert found.score_a > found.score_b
    assert found.text.startswith("Black tea is ahead of Mocha, most of all because ")
    assert found.differences[0].ref == "purchase:green-tea:2026-11-01T00:00:00+00:00"
    mirrored = recommender.contrast("ann", "mocha", "black-tea", context=Context(place="Delft"))
    assert mirrored.text == found.text
    assert recommender.contrast("new", "mocha", "espresso").text.endswith("most of all because 1 person chose it.")


def _shop() -> Store:
    items = [
        Item(item_id="lamp", title="LED台灯", categories=("家居",), description="可调光的台灯，适合书桌"),
        Item(item_id="stand", title="笔记本支架", categories=("办公", "家居"), description="铝合金支架，可调高度"),
        Item(item_id="pan", title="平底锅", categories=("厨房",), description="不粘平底锅"),
    ]
    users = [User(user_id="wang", attributes={"职业": "工程师"})]
    return Store(items, users, [Event(user_id="wang", item_id="lamp", type="favorite")])


def test_reasons_come_in_the_language_that_was_asked_for(scripted: Scripted) -> None:
    answer = scripted(store=_shop(), language="zh", model_weight=0.0).recommend("wang", 2)
    assert answer.items[0].evidence[0].text == "你收藏了“LED台灯”"
    texts = [item.reason.text for item in answer.items if item.reason]
    assert texts == ["因为你收藏了“LED台灯”，两者都属于家居。", "因为目录里有“平底锅”。"]
    english = scripted(store=_shop(), model_weight=0.0).recommend("wang", 1, language="en")
    assert english.items[0].reason is not None
    assert english.items[0].reason.text.startswith("Because you favorited LED台灯")


def test_a_chinese_sentence_of_the_model_passes_and_an_invented_one_does_not(scripted: Scripted) -> None:
    def first(text: str) -> str:
        recommender = scripted(ScriptedEngine(text=text), store=_shop(), language="zh", model_weight=0.0)
        reason = recommender.explain("wang", "stand").reason
        return f"{reason.source}: {reason.text}"

    good = "，它是可调高度的铝合金支架。"
    assert first(good) == f"llm: 因为你收藏了“LED台灯”，你可能会喜欢“笔记本支架”{good}"
    assert first("，它能治疗头痛。").startswith("template: ")
    assert first(" because it is good.").startswith("template: ")


def test_questions_are_answered_in_chinese(scripted: Scripted) -> None:
    recommender = scripted(store=_shop(), language="zh")
    assert recommender.why_not("wang", "lamp").text == "没有推荐“LED台灯”：你已经接触过它。"
    assert "因为" in recommender.contrast("wang", "stand", "pan").text


def test_reasons_can_be_left_out(scripted: Scripted) -> None:
    engine = ScriptedEngine()
    answer = scripted(engine, explain=False).recommend("ann", 3)
    assert all(item.reason is None and item.evidence for item in answer.items)
    assert len(engine.prompts) == 1


def test_answers_are_plain_json(scripted: Scripted) -> None:
    recommender: Recommender = scripted()
    for found in (recommender.explain("ann", "mocha"), recommender.why_not("ann", "mocha")):
        assert json.loads(found.model_dump_json())["item_id"] == "mocha"
