"""Lint finds what is wrong with a pack, and nothing in those that ship."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from genrec.authoring.lint import lint
from genrec.engine import Tokens
from genrec.prompting import load_pack, pack_folder, pack_names


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_folder() / "shop", tmp_path / "mine"))


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
        ("rank.j2", "[user, history,", "[user,", "error", "uses 'history', which its inputs do not declare"),
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
        ("rank.j2", "tokens: 8000", "tokens: 900", "error", "of a budget of 900 for sample worst"),
        ("rank.j2", "samples: [regular,", "samples: [nobody, regular,", "error", "has no sample 'nobody'"),
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
        ("rank.zh.j2", "[age,", "[", "error", "its user_fields are not those of rank.j2"),
        (
            "rank.j2",
            "{% for item in candidates %}",
            "{% for item in candidates if item.price > 60 %}",
            "error",
            "does not show the candidate A, ",
        ),
        ("_item.j2", "{{ item.title }}", "a thing", "error", "does not show the candidate A, "),
        ("rank.j2", "{{ item.label }}.", "-", "error", "does not show the candidate"),
        ("samples/regular.yaml", "candidates:", "candidate:", "error", "no such key: did you mean 'candidates'?"),
        ("samples/regular.yaml", "user: ", "user: x", "error", "samples/regular.yaml: no user 'x"),
        ("samples/regular.yaml", "because: ", "because: x", "error", "did nothing with 'x"),
    ],
)
def test_what_is_wrong_is_found(
    pack: Path, tokens: Tokens, file: str, old: str, new: str, level: str, problem: str
) -> None:
    _edit(pack / file, old, new)
    found = lint(load_pack(pack), tokens)
    assert any(finding.level == level and problem in finding.problem for finding in found), found


def test_a_fault_of_a_partial_is_found_once_at_its_place(pack: Path, tokens: Tokens) -> None:
    for path in (*pack.glob("_item*.j2"),):
        path.write_text("\n{{ item.title }} {{ item.attributes.colour }}")
    for variant in pack.glob("*.zh.j2"):
        variant.unlink()
    found = lint(load_pack(pack), tokens)
    [fault] = [finding for finding in found if "colour" in finding.problem]
    assert (fault.file, fault.problem.split(":")[0]) == ("_item.j2", "line 2")
    assert fault.problem.endswith("(sample regular)")


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


def test_partials_that_nobody_includes_and_missing_variants(pack: Path, tokens: Tokens) -> None:
    (pack / "_more.j2").write_text("x")
    (pack / "explain.zh.j2").unlink()
    found = {(finding.level, finding.file, finding.problem) for finding in lint(load_pack(pack), tokens)}
    assert ("warning", "_more.j2", "is included nowhere") in found
    assert ("warning", "explain.j2", "has no variant explain.zh.j2, which others have") in found
