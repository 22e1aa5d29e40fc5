"""Reading what a model wrote: whatever the text, entries or a named error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.hostile import NAMED, problem, texts
from genrec import AnswerError
from genrec.parse import Entry, parse_list

_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["label", "reason", "x"]), inner),
    max_leaves=20,
)
_rows = st.lists(st.fixed_dictionaries({"label": st.sampled_from("ABCDZ"), "reason": st.text(max_size=20)}), max_size=8)


@given(st.text() | _json.map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = parse_list(text, "ABC")
    except AnswerError:
        return
    labels = [entry.label for entry in parsed.entries]
    assert labels
    assert len(set(labels)) == len(labels)
    assert set(labels) <= set("ABC")


@given(_rows, st.integers(0, 400))
def test_a_cut_list_keeps_a_beginning_of_its_entries(rows: list[dict[str, str]], cut: int) -> None:
    text = json.dumps(rows)
    known = list(dict.fromkeys(row["label"] for row in rows if row["label"] in "ABC"))
    try:
        parsed = parse_list(text[:cut], "ABC")
    except AnswerError:
        return
    labels = [entry.label for entry in parsed.entries]
    assert labels == known[: len(labels)]
    assert parsed.truncated == (cut < len(text))


@given(_rows)
def test_every_row_is_counted_once(rows: list[dict[str, str]]) -> None:
    try:
        parsed = parse_list(json.dumps(rows), "ABC")
    except AnswerError:
        assert not any(row["label"] in "ABC" for row in rows)
        return
    assert len(parsed.entries) + parsed.invalid + parsed.repeated == len(rows)


def test_words_around_the_list_are_ignored() -> None:
    parsed = parse_list('Here you are: [{"label": "B", "reason": "good"}] Enjoy!', "AB")
    assert parsed.entries == (Entry("B", "good"),)
    assert not parsed.truncated


def test_the_error_shows_what_was_written() -> None:
    with pytest.raises(AnswerError, match="no JSON list: 'I like A'"):
        parse_list("I like A", "A")


@pytest.mark.parametrize("name", NAMED)
def test_hostile_texts_with_a_name(name: str) -> None:
    assert problem(NAMED[name]) is None


@given(texts)
def test_hostile_texts_without_one(text: str) -> None:
    assert problem(text) is None


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("a string without end", None),
        ("deep nesting behind an entry", "A"),
        ("commas", "A"),
        ("a million entries", "AB"),
        ("many lists", None),
        ("NaN", "A"),
        ("duplicate keys", "C"),
        ("lone surrogates", "A"),
        ("prose that contains letters", None),
        ("prose around a list", "B"),
        ("a thought", "B"),
        ("a thought without end", "A"),
        ("unicode digits and letters", "A"),
        ("a wrapped list", "C"),
        ("a fence", "A"),
        ("null bytes", None),
    ],
)
def test_what_is_read_of_them(name: str, labels: str | None) -> None:
    if labels is None:
        with pytest.raises(AnswerError):
            parse_list(NAMED[name], "ABCDEFGHIJ")
        return
    assert "".join(entry.label for entry in parse_list(NAMED[name], "ABCDEFGHIJ").entries) == labels


def test_lone_surrogates_are_left_out_of_reasons() -> None:
    assert parse_list(NAMED["lone surrogates"], "A").entries == (Entry("A", " good "),)
