"""Lint finds what is wrong with a pack, and nothing in those that ship."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from genrec.authoring.lint import lint
from genrec.authoring.privacy import is_personal, shape_of
from genrec.engine import Tokens
from genrec.prompting import load_pack, pack_folder, pack_names


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A pack in two languages."""
    return Path(shutil.copytree(pack_folder() / "shop", tmp_path / "mine"))


@pytest.fixture
def pack(both: Path) -> Path:
    """In one, which takes half the time."""
    for path in [*both.glob("*.zh.j2"), *both.glob("samples/*.zh.yaml")]:
        path.unlink()
    return both


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("name", pack_names())
def test_nothing_is_wrong_with_the_packs_that_ship(name: str, tokens: Tokens) -> None:
    assert lint(load_pack(name), tokens) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "level", "problem"),
    [
        ("rank.j2", "[user, history,", "[user,", "error", "uses 'history', which the inputs of rank.j2 do not"),
        ("rank.j2", "candidates]", "candidates, n]", "error", "declares the input 'n' and does not use it"),
        ("_user.j2", "{% if context %}", "{% if weather %}", "error", "uses 'weather', which nobody gives it"),
        ("rank.j2", "[age,", "[age, email,", "error", "user_fields holds 'email': who somebody is"),
        (
            "_user.j2",
            "{% if context %}",
            "{{ user.attributes.plan }}{% if context %}",
            "error",
            "shows the user's 'plan'",
        ),
        ("list.j2", "JSON", "neat", "error", "does not say that the answer is JSON"),
        ("_system.j2", "You are", "{{ instruction }} You are", "error", "the system text differs between requests"),
        ("rank.j2", "tokens: 8000", "tokens: 900", "error", "of a budget of 900 for 26 candidates"),
        (
            "rank.j2",
            "samples: [regular,",
            "samples: [nobody, regular,",
            "error",
            "asks for 'nobody', a sample that is not there: there are gift",
        ),
        (
            "rank.j2",
            "{% block system %}",
            "Be nice.\n{% block system %}",
            "warning",
            "outside of the blocks is never sent",
        ),
        (
            "rank.j2",
            "{% block system %}",
            "{% block tail %}x{% endblock %}{% block system %}",
            "warning",
            "'tail' is never",
        ),
        ("rank.j2", "[age,", "[agee,", "warning", "holds 'agee', which no user of the demo data has"),
        ("list.j2", "[age,", "[", "error", "its user_fields are not those of rank.j2"),
        (
            "rank.j2",
            "{% for item in candidates %}",
            "{% for item in candidates if item.price > 60 %}",
            "error",
            "does not show the candidate A, ",
        ),
        ("_item.j2", "{{ item.title }}", "a thing", "error", "does not show the candidate A, "),
        (
            "rank.j2",
            "[{{ item.label }}]",
            "[{{ loop.index }}]",
            "error",
            "the letter of candidate A, B, C and",
        ),
        ("rank.j2", "{% for item in candidates %}", "{% for item in candidates[:3] %}", "error", "candidate D, "),
        ("rank.j2", "[age,", "[age, e-mail,", "error", "user_fields holds 'e-mail': who somebody is"),
        ("_item.j2", "{{ item.title }}", "{{ item.title }}{{ item.titel }}", "error", "did you mean 'title'?"),
        (
            "_item.j2",
            "{{ item.title }}",
            "{{ item.title }}{{ 'x' if item.title > 3 }}",
            "error",
            "it compares a text with a number, or with nothing",
        ),
        ("_item.j2", "{{ item.title }}", "{{ item.title }}{{ item.attributes.colr }}", "error", "mean 'color'?"),
        ("_item.j2", "{% if item.cat", "{% if item.attributes.colr %}{% endif %}{% if item.cat", "error", "'color'?"),
        ("_user.j2", "{% if context %}", "{% if context.plaice is defined or context %}", "warning", "'place'?"),
        (
            "_item.j2",
            "{{ item.title }}",
            "{{ item.title if item.image is undefined }}",
            "warning",
            "names 'image', which a template never sees",
        ),
        ("samples/regular.yaml", "candidates:", "candidate:", "error", "no such key: did you mean 'candidates'?"),
        ("samples/regular.yaml", "user: ", "user: x", "error", "user: demo has no user 'x"),
        ("samples/regular.yaml", "because: ", "because: x", "error", "did nothing with 'x"),
    ],
)
def test_what_is_wrong_is_found(
    pack: Path, tokens: Tokens, file: str, old: str, new: str, level: str, problem: str
) -> None:
    _edit(pack / file, old, new)
    found = lint(load_pack(pack), tokens)
    assert any(finding.level == level and problem in finding.problem for finding in found), found


def _said(pack: Path, tokens: Tokens) -> list[str]:
    return [finding.said(Path()) for finding in lint(load_pack(pack), tokens)]


def test_one_slip_is_found_once_where_it_stands(pack: Path, tokens: Tokens) -> None:
    _edit(pack / "rank.j2", "in candidates %}", "in candidats %}")
    assert _said(pack, tokens) == [
        "rank.j2, line 39: uses 'candidats', which nobody gives it: did you mean 'candidates'?"
    ]
    _edit(pack / "rank.j2", "in candidats %}", "in candidates %}")
    _edit(pack / "_user.j2", "{% if context %}", "{{ user.attributes.occupatoin }}\n{% if context %}")
    assert _said(pack, tokens) == [
        "_user.j2, line 11: shows the user's 'occupatoin', which user_fields does not allow: did you mean 'occupation'?"
    ]


def test_an_item_or_a_user_of_no_sample_that_fails_is_named(pack: Path, tokens: Tokens) -> None:
    _edit(pack / "_item.j2", "{{ item.title }}", "{{ item.title }}\n{{ item.attributes.color | lower }}")
    items = pack / "demo" / "items.jsonl"
    bare = '{"item_id": "bare", "title": "A thing", "price": 3, "categories": ["Home"]}\n'
    lines = [line for line in items.read_text(encoding="utf-8").splitlines(keepends=True) if '"color"' in line]
    kept = [line.replace('"attributes": {', '"attributes": {"color": "red", ') for line in _others(items)]
    items.write_text("".join([*lines, *kept, bare]), encoding="utf-8")
    users = pack / "demo" / "users.jsonl"
    _edit(pack / "_user.j2", "{% if context %}", "{{ user.attributes.city }}{% if context %}")
    users.write_text(users.read_text(encoding="utf-8") + '{"user_id": "new", "attributes": {"age": 40}}\n')
    assert _said(pack, tokens) == [
        "_item.j2, line 2: does not render: there is no 'color' here: ask first whether it `is defined` (item bare)",
        "_user.j2, line 11: does not render: there is no 'city' here: ask first whether it `is defined` (user new)",
    ]


def _others(items: Path) -> list[str]:
    return [line for line in items.read_text(encoding="utf-8").splitlines(keepends=True) if '"color"' not in line]


def test_what_fails_where_nothing_is_known_is_a_warning(pack: Path, tokens: Tokens) -> None:
    _edit(pack / "_user.j2", "{% if context %}", "{{ user.attributes.age }}{% if context %}")
    [found] = lint(load_pack(pack), tokens)
    assert (found.level, found.file, found.line) == ("warning", "_user.j2", 11)
    assert "where little is known" in found.problem


@pytest.mark.parametrize("name", ["e-mail", "eMail", "emailaddress", "lastName", "telefon", "Straße", "姓名"])
def test_fields_that_say_who_somebody_is_by_their_names(name: str) -> None:
    assert is_personal(name)


@pytest.mark.parametrize("name", ["age", "occupation", "city", "interests", "reads_in", "landing_page", "company"])
def test_fields_that_do_not(name: str) -> None:
    assert not is_personal(name)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("rosa@example.org, mornings", "an e-mail address"),
        ("+32 470 12 34 56", "a phone number"),
        ("13800138000", "a phone number"),
        ("BE68 5390 0754 7034", "an IBAN"),
        ("4111 1111 1111 1111", "the number of a card"),
        ("1990, 1991, 1992", None),
        ("2026-11-28", None),
        ("978-3-16-148410-0", None),
    ],
)
def test_values_that_say_who_somebody_is(value: str, shape: str | None) -> None:
    assert shape_of(value) == shape


def test_a_field_that_holds_an_address_is_named_with_the_user(pack: Path, tokens: Tokens) -> None:
    for file in ("rank.j2", "list.j2"):
        _edit(pack / file, "user_fields: [age,", "user_fields: [contact, age,")
    _edit(pack / "demo" / "users.jsonl", '"age": 34,', '"age": 34, "contact": "c/o rosa@example.org",')
    found = lint(load_pack(pack), tokens)
    assert {(one.file, one.record) for one in found} == {("rank.j2", "user 1002"), ("list.j2", "user 1002")}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("They ask for: {{ instruction }}\nThe person:", "the instruction before the history"),
        (
            "{% if context.time is defined %}{{ context.time }}\n{% endif %}The person:",
            "the context before the history",
        ),
    ],
)
def test_what_is_of_a_request_before_what_is_of_its_user(pack: Path, tokens: Tokens, text: str, what: str) -> None:
    _edit(pack / "_user.j2", "The person:", text)
    [found] = lint(load_pack(pack), tokens)
    assert (found.file, found.line) == ("_user.j2", 1)
    assert what in found.problem


def test_every_sample_file_is_looked_at_once_with_all_of_its_faults(pack: Path, tokens: Tokens) -> None:
    samples = pack / "samples"
    (samples / "one.yaml").write_text("user: nobody\ncandidates: ['1', '1', x]\nn: 9\ndescription: d\n")
    (samples / "two.yaml").write_text("descripton: d\nuser: '1001'\ncandidates: []\n")
    (samples / "three.yaml").write_text("")
    (samples / "worst.yaml").write_text("")
    (samples / "four.yml").write_text("")
    for file in ("rank.j2", "explain.j2", "list.j2"):
        _edit(pack / file, "samples: [", "samples: [one, ")
    found = [one for one in lint(load_pack(pack), tokens) if one.file.startswith("samples")]
    assert [(one.file, one.line, one.problem.split(":")[0]) for one in found if one.level == "error"] == [
        ("samples/one.yaml", 1, "user"),
        ("samples/one.yaml", 2, "candidates"),
        ("samples/one.yaml", 2, "candidates"),
        ("samples/one.yaml", 3, "n"),
        ("samples/three.yaml", None, "it is empty"),
        ("samples/two.yaml", 1, "descripton"),
        ("samples/two.yaml", 3, "candidates"),
    ]
    assert [one.file for one in found if one.level == "warning"] == ["samples/four.yml", "samples/worst.yaml"]


def test_templates_that_nobody_asks_for_and_a_pack_without_tests(pack: Path, tokens: Tokens) -> None:
    (pack / "recommend.j2").write_text("x")
    for file in ("rank.j2", "explain.j2", "list.j2"):
        text = (pack / file).read_text(encoding="utf-8")
        (pack / file).write_text(text[: text.index("tests:")] + text[text.index("---\n", 4) :], encoding="utf-8")
    assert {one.file for one in lint(load_pack(pack), tokens)} == {"recommend.j2", "rank.j2"}


def test_a_fault_of_a_partial_is_found_once_at_its_place(pack: Path, tokens: Tokens) -> None:
    (pack / "_item.j2").write_text("\n{{ item.title }} {{ item.attributes.colour }}")
    assert _said(pack, tokens) == [
        "_item.j2, line 2: names attributes.colour, which no item of the demo data has: did you mean 'color'? "
        "(sample regular)"
    ]


def test_numbers_of_the_demo_data_are_numbers_in_the_worst_sample_too(pack: Path, tokens: Tokens) -> None:
    _edit(pack / "_user.j2", "{% if context %}", "{% if user.attributes.age > 99 %}old{% endif %}{% if context %}")
    assert [finding for finding in lint(load_pack(pack), tokens) if "compares" in finding.problem] == []
    _edit(pack / "_user.j2", "user.attributes.age > 99", "user.attributes.city > 99")
    assert any("it compares a text with a number" in finding.problem for finding in lint(load_pack(pack), tokens))


def test_candidates_before_the_history_break_the_cache(pack: Path, tokens: Tokens) -> None:
    _edit(pack / "rank.j2", '{% include "_user.j2" %}', "")
    _edit(pack / "rank.j2", "Which", '{% include "_user.j2" %}\nWhich')
    assert any("candidates before the history" in finding.problem for finding in lint(load_pack(pack), tokens))


def test_a_user_id_in_a_prompt_is_found(pack: Path, tokens: Tokens) -> None:
    for path in [*(pack / "demo").glob("*.jsonl"), *(pack / "samples").glob("*.yaml")]:
        text = path.read_text(encoding="utf-8").replace('"1006"', '"mei-lin"')
        path.write_text(text.replace("instruction: ", "instruction: I am mei-lin, "), encoding="utf-8")
    found = lint(load_pack(pack), tokens)
    assert any("shows the user's id 'mei-lin'" in finding.problem for finding in found), found


def test_partials_that_nobody_includes_and_missing_variants(both: Path, tokens: Tokens) -> None:
    (both / "_more.j2").write_text("x")
    (both / "explain.zh.j2").unlink()
    _edit(both / "rank.zh.j2", "[age,", "[")
    found = {(finding.level, finding.file, finding.problem) for finding in lint(load_pack(both), tokens)}
    assert ("error", "rank.zh.j2", "its user_fields are not those of rank.j2: they lack 'age'") in found
    assert ("warning", "_more.j2", "is included nowhere") in found
    assert ("warning", "explain.j2", "has no variant explain.zh.j2, which others have") in found
