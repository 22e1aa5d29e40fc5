"""The check of a sentence: what passes, what does not, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.grounding import Facts, Names, check, first_sentence

_FACTS = Facts(
    evidence=["8 days ago you rated Heat 5", "your occupation is nurse"],
    about=["Heat", "nurse"],
    item=["Collateral", "A taxi driver takes a killer through one night.", "Crime", "year 2004"],
    names=[Names(["Heat", "Collateral", "Up", "The Taxi Driver", "Comedy"])],
    instructions="Use only the given facts and name no other film.",
)


@pytest.mark.parametrize(
    "sentence",
    [
        "Because 8 days ago you rated Heat 5, you may like Collateral.",
        "Because you rated Heat 5, you may enjoy Collateral, in which a taxi driver takes a killer through one night.",
        "Your occupation is nurse, so Collateral (2004) may suit you!",
    ],
)
def test_sentences_that_hold_up(sentence: str) -> None:
    assert check(sentence, _FACTS) is None


@pytest.mark.parametrize(
    ("sentence", "cause"),
    [
        ("Heat, Collateral.", "it is no sentence"),
        ("Because you rated Heat 5, you may like", "it has no end"),
        ("Because you rated Heat 4, you may like Collateral.", "the number 4 is not in the evidence"),
        ("Because you rated Heat 5, you may like Up.", "the name 'Up' is not in the evidence"),
        ("Because you rated Heat 5, you may like The Taxi Driver.", "the name 'The Taxi Driver' is not"),
        ("Because you rated Heat 5, you may like this comedy.", "the word 'comedy' is not in the evidence"),
        ("Because you rated Heat 5 and you rated Collateral 5, go.", "the word 'go' is not in the evidence"),
        ("Because you rated Heat 5 and you rated Collateral 5.", "'you rated' is not in the evidence"),
        ("Because your killer rated Heat 5, take Collateral.", "'your killer' is not in the evidence"),
        ("Because you may like Collateral and a taxi driver.", "it cites none of the evidence"),
        ("Use only the given facts and name Heat.", "it repeats the instructions"),
        ("Because you rated *Heat* 5, you may like Collateral.", "it contains '*'"),
        (f"Because you rated Heat 5, you may like {'Collateral ' * 30}.", "it is longer than"),
    ],
)
def test_sentences_that_do_not(sentence: str, cause: str) -> None:
    assert (check(sentence, _FACTS) or "").startswith(cause)


_ODD = Facts(
    evidence=["you rated M*A*S*H 4", "you rated I Know What You Did Last Summer 2"],
    about=["M*A*S*H", "I Know What You Did Last Summer"],
    item=["While You Were Sleeping"],
    names=[Names([])],
    instructions="",
)


@pytest.mark.parametrize(
    ("sentence", "cause"),
    [
        ("Because you rated M*A*S*H 4, you may like While You Were Sleeping.", None),
        ("Because you rated I Know What You Did Last Summer 2, you may like While You Were Sleeping.", None),
        ("Because you rated *M*A*S*H* 4, you may like While You Were Sleeping.", "it contains '*'"),
        ("Because you rated M*A*S*H 4, you were sleeping.", "'you were' is not in the evidence"),
        ("Because you rated M*A*S*H 4, what you did.", "'you did' is not in the evidence"),
    ],
)
def test_titles_are_no_markup_and_say_nothing_of_anybody(sentence: str, cause: str | None) -> None:
    assert check(sentence, _ODD) == cause


def test_a_title_that_is_markup_stays_refused() -> None:
    facts = replace(_ODD, item=["<b>Heat</b>"], about=["M*A*S*H", "www.heat.com you"])
    assert check("Because you rated M*A*S*H 4, you may like <b>Heat</b>.", facts) == "it contains '<'"
    assert check("Because you rated M*A*S*H 4, see www.heat.com you.", facts) == "it contains 'www.'"


_CHINESE = Facts(
    evidence=["你3天前收藏了“LED台灯”，选择它的人也选择了这一个"],
    about=["LED台灯"],
    item=["笔记本支架", "铝合金支架，可调高度", "办公"],
    names=[Names(["LED台灯", "办公", "厨房", "平底锅"])],
    instructions="Use only the given facts.",
    language="zh",
)


@pytest.mark.parametrize(
    "sentence",
    [
        "因为你3天前收藏了“LED台灯”，你可能会喜欢“笔记本支架”。",
        "因为你3天前收藏了“LED台灯”，这款可调高度的铝合金支架也适合你！",
    ],
)
def test_chinese_sentences_that_hold_up(sentence: str) -> None:
    assert check(sentence, _CHINESE) is None


@pytest.mark.parametrize(
    ("sentence", "cause"),
    [
        ("因为你3天前收藏了“LED台灯”，你可能会喜欢平底锅。", "the name '平底锅' is not in the evidence"),
        ("因为你5天前收藏了“LED台灯”，推荐这款支架。", "the number 5 is not in the evidence"),
        ("因为你３天前收藏了“LED台灯”，推荐这款支架。", "the number ３ is not in the evidence"),
        ("因为你购买了“LED台灯”，推荐这款支架。", "the character '购' is not in the evidence"),
        ("因为你3天前收藏了“LED台灯”，它不伤眼睛。", "the character '伤' is not in the evidence"),
        ("因为你3天前收藏了“LED台灯”，你收藏了支架。", "'你收藏了' is not in the evidence"),
        ("Because you like LED台灯, take it.", "the word 'because' is not in the evidence"),
        ("你可能会喜欢这款铝合金支架。", "it cites none of the evidence"),
        ("因为你3天前收藏了“LED台灯”，推荐支架", "it has no end"),
    ],
)
def test_chinese_sentences_that_do_not(sentence: str, cause: str) -> None:
    assert (check(sentence, _CHINESE) or "").startswith(cause)


def test_an_english_sentence_has_no_chinese_words_of_its_own() -> None:
    assert check("Because 8 days ago you rated Heat 5, 你可能会喜欢 Collateral.", _FACTS) is not None


@given(st.text())
def test_any_text_gets_a_verdict(text: str) -> None:
    for facts in (_FACTS, _CHINESE):
        verdict = check(text, facts)
        assert verdict is None or verdict


def test_the_first_sentence_ends_behind_its_beginning() -> None:
    beginning = "Because you rated Heat 5, you may like Your Name."
    assert first_sentence(f"{beginning}, in which two wake. More.", beginning) == f"{beginning}, in which two wake."
    assert first_sentence(f"{beginning}.\n\nThe film is set in Tokyo. More.", beginning) == f"{beginning}."
    assert first_sentence('"Take it. Or leave it."') == "Take it."
