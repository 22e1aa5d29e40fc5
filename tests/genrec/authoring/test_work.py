"""The way of a prompt: copied, changed, compared, tested, promoted, rolled back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from genrec import GenrecError, PromptError, runner
from genrec.authoring.cases import run_tests
from genrec.authoring.differences import changed_settings
from genrec.authoring.rendering import render
from genrec.authoring.samples import demo_data, read_sample
from genrec.engine import Engine, Tokens
from genrec.prompting import load_pack, pack_folder, pack_names
from genrec.prompting.versions import labels, promote, rollback
from genrec.testing import ScriptedEngine
from tests.conftest import GENREC, Genrec


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_folder() / "movies", tmp_path / "mine"))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _shorten(pack: Path) -> None:
    _edit(pack / "_system.j2", "You are a film guide.", "You are a film critic.")


@pytest.mark.parametrize("name", pack_names())
def test_the_packs_that_ship_pass_their_tests(name: str, tokens: Tokens) -> None:
    found = runner.run(run_tests(load_pack(name), tokens, None, lambda _: None))
    assert found
    assert [outcome for outcome in found if not outcome.passed] == []


def test_a_test_says_what_did_not_hold(pack: Path, tokens: Tokens) -> None:
    path = pack / "rank.j2"
    path.write_text(
        path.read_text().replace('lacks: ["maya"', 'lacks: ["Films:"').replace("tokens: 500", "tokens: 5", 1)
    )
    (pack / "_user.j2").write_text(
        "{{ user.attributes.age }} {{ history | length }} {{ context.place }} {{ instruction }}"
    )
    [first, *_] = runner.run(run_tests(load_pack(pack), tokens, None, lambda _: None))
    assert "holds 'Films:'" in first.problems
    assert any(problem.startswith("does not hold") for problem in first.problems)
    assert any(problem.endswith("more than 5") for problem in first.problems)


@pytest.mark.parametrize(
    ("engine", "task", "problem"),
    [
        (ScriptedEngine(text="no list"), "list.j2", "the model wrote no JSON list"),
        (ScriptedEngine(text=" "), "explain.j2", "the model wrote nothing"),
        (ScriptedEngine(), "explain.j2", None),
        (ScriptedEngine(), "rank.j2", None),
    ],
)
def test_answers_are_tested_where_there_is_an_engine(
    pack: Path, tokens: Tokens, engine: Engine, task: str, problem: str | None
) -> None:
    found = [one for one in runner.run(run_tests(load_pack(pack), tokens, engine, lambda _: None)) if one.file == task]
    assert found
    for outcome in found:
        assert outcome.answer is not None
        assert outcome.passed == (problem is None)
        assert problem is None or problem in outcome.problems[0]


def test_the_budget_cuts_in_the_order_that_the_template_says(pack: Path, tokens: Tokens) -> None:
    loaded = load_pack("shop")
    scene = read_sample(loaded, demo_data(loaded), "regular", "en")
    whole = render(loaded, "rank", scene, tokens)
    assert (whole.shortened(), whole.fits) == ("", True)
    folder = Path(shutil.copytree(pack_folder() / "shop", pack.parent / "tight"))
    text = (folder / "rank.j2").read_text()
    (folder / "rank.j2").write_text(text.replace("tokens: 8000", f"tokens: {whole.total - 30}"))
    tight = load_pack(folder)
    cut = render(tight, "rank", read_sample(tight, demo_data(tight), "regular", "en"), tokens)
    assert cut.total <= whole.total - 30
    assert cut.cut.events == cut.events == 7
    assert "descriptions to" in cut.shortened()


def test_from_a_copy_to_production_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genrec: Genrec) -> None:
    monkeypatch.chdir(tmp_path)
    assert genrec("prompt", "new", "mine", "--from", "movies").returncode == 0
    assert "give your copy another name" in genrec("prompt", "new", "movies", "--from", "movies").stderr
    assert "send the same prompts" in genrec("prompt", "diff", "movies", "mine").stdout
    first = load_pack("mine").version
    assert f"mine@production: nothing -> {first}" in genrec("prompt", "promote", "mine").stdout
    _shorten(tmp_path / "mine")
    changed = genrec("prompt", "diff", "mine@production", "mine").stdout
    assert "-You are a film guide. You know" in changed
    assert changed.count("+You are a film critic. You know") == 1
    assert "sample newcomer" in changed
    assert "(1 change as above)" in changed
    one = genrec("prompt", "diff", "mine@production", "mine", "--task", "explain", "--sample", "family").stdout
    assert one.count("sample ") == one.count("explain, en, sample family") == 1
    second = load_pack("mine").version
    assert genrec("prompt", "promote", "mine", "--label", "candidate").returncode == 0
    assert f"{first} -> {second}" in genrec("prompt", "promote", "mine@candidate").stdout
    assert labels(tmp_path / "mine") == {"production": second, "candidate": second}
    assert f"stands at {second} already" in genrec("prompt", "promote", "mine").stdout
    assert f"copy of mine@{first}" in genrec("prompt", "new", "old one", "--from", f"mine@{first}").stdout
    assert load_pack("old one").version == first
    assert f"{second} -> {first}" in genrec("prompt", "rollback", "mine").stdout
    assert load_pack("mine@production").version == first
    assert load_pack(f"mine@{second}").version == second
    shown = json.loads(genrec("prompt", "show", "mine", "--json").stdout)
    assert [move["by"] for move in shown["moves"]] == ["promote", "promote", "promote", "rollback"]
    rows = json.loads(genrec("prompt", "list", "--json").stdout)["packs"]
    assert {row["pack"]: row["production"] for row in rows}["./mine"] == first


def test_what_lint_or_tests_refuse_is_not_promoted(pack: Path, genrec: Genrec) -> None:
    (pack / "_system.j2").write_text("{{ 'JSON' }} {{ history | length }} reason sentence")
    (pack / "samples" / "more.yml").write_text("")
    failed = genrec("prompt", "promote", str(pack))
    assert failed.returncode == 1
    assert "samples/more.yml: is never read: a sample is called more.yaml" in failed.stdout
    assert "rank.j2: the system text differs between requests" in failed.stdout
    assert "_system.j2, line 1: uses 'history', which the inputs of explain.j2 do not declare" in failed.stdout
    assert "undefined" not in failed.stdout
    assert f"is not promoted: {len(failed.stdout.splitlines()) - 1} problems" in failed.stderr
    assert failed.stderr.count("...") == 2
    assert genrec("prompt", "lint", str(pack)).returncode == 1
    assert labels(pack) == {}


def test_what_keeps_a_pack_from_being_compiled_is_linted_together(pack: Path, genrec: Genrec) -> None:
    _edit(pack / "rank.j2", "budget:", "bugdet:")
    _edit(pack / "list.j2", '"_item.j2"', '"_itm.j2"')
    failed = genrec("prompt", "lint", str(pack), "--json")
    assert failed.returncode == 1
    found = json.loads(failed.stdout)["findings"]
    assert [(one["level"], one["file"], one["line"]) for one in found] == [
        ("error", "rank.j2", 7),
        ("error", "list.j2", 43),
    ]
    assert "did you mean '_item.j2'?" in found[1]["problem"]


def test_a_test_whose_sample_cannot_be_read_has_no_tokens(pack: Path, tokens: Tokens) -> None:
    (pack / "samples" / "family.yaml").unlink()
    found = runner.run(run_tests(load_pack(pack), tokens, None, lambda _: None))
    failed = [outcome for outcome in found if not outcome.passed]
    assert {(outcome.sample, outcome.tokens) for outcome in failed} == {("family", None)}
    (pack / "samples" / "family.yml").write_text("")
    with pytest.raises(PromptError, match=r"samples/family\.yml has to be called family\.yaml"):
        read_sample(load_pack(pack), demo_data(load_pack(pack)), "family", "en")


def test_settings_that_changed_are_named_one_by_one(pack: Path) -> None:
    before = load_pack(pack)
    _edit(pack / "rank.j2", "{tokens: 3500, drop: [history]}", "{tokens: 3000, drop: []}")
    found = changed_settings(before, load_pack(pack))
    assert [(one.task, one.setting, one.before, one.after) for one in found] == [
        ("rank", "budget.tokens", "3500", "3000"),
        ("rank", "budget.drop", "history", "none"),
    ]


def test_nobody_is_told_of_a_reader_that_has_left() -> None:
    command = [*GENREC, "prompt", "show", "movies", "--task", "rank"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""


def test_packs_that_ship_have_no_labels() -> None:
    with pytest.raises(PromptError, match="ships with genrec: begin your own"):
        promote(load_pack("movies"), "production")


def test_labels_go_back_one_move_at_a_time(pack: Path) -> None:
    versions = []
    for word in ("one", "two", "three"):
        (pack / "_system.j2").write_text(word)
        versions.append(load_pack(pack).version)
        assert promote(load_pack(pack), "production")
    assert promote(load_pack(pack), "production") is None
    assert rollback(pack, "production").version == versions[1]
    assert rollback(pack, "production").version == versions[0]
    with pytest.raises(PromptError, match="no version before for 'production' to go back to: it is back at the first"):
        rollback(pack, "production")
    assert promote(load_pack(f"{pack}@{versions[2]}"), "production")
    assert labels(pack) == {"production": versions[2]}
    assert rollback(pack, "production").version == versions[0]


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("@production", "has no label 'production', it has none yet"),
        ("@0123456", "too short for a version"),
        ("@0123456789ab", "keeps no version '0123456789ab'"),
    ],
)
def test_what_is_not_kept_cannot_be_loaded(pack: Path, at: str, message: str) -> None:
    with pytest.raises(GenrecError) as error:
        load_pack(f"{pack}{at}")
    assert message in str(error.value)


def test_a_kept_version_that_was_edited_is_refused(pack: Path) -> None:
    version = load_pack(pack).version
    promote(load_pack(pack), "production")
    (pack / ".versions" / version / "_system.j2").write_text("other")
    with pytest.raises(PromptError, match="somebody has edited them"):
        load_pack(f"{pack}@production")


def test_a_pack_that_names_no_samples_shows_the_first_of_its_own_or_the_worst(pack: Path, genrec: Genrec) -> None:
    rank = pack / "rank.j2"
    rank.write_text(rank.read_text().replace("samples: [regular, newcomer, family]\n", ""))
    assert "sample family:" in genrec("prompt", "render", str(pack)).stdout
    shutil.rmtree(pack / "samples")
    assert "sample worst:" in genrec("prompt", "render", str(pack)).stdout


def test_files_as_other_systems_write_them_are_read_or_named(pack: Path) -> None:
    version = load_pack(pack).version
    rank = pack / "rank.j2"
    rank.write_bytes(b"\xef\xbb\xbf" + rank.read_bytes().replace(b"\n", b"\r\n"))
    assert load_pack(pack).version == version
    sample = pack / "samples" / "regular.yaml"
    sample.write_bytes(sample.read_bytes() + b"# Caf\xe9\n")
    loaded = load_pack(pack)
    with pytest.raises(PromptError, match=r"regular\.yaml: not UTF-8"):
        read_sample(loaded, demo_data(loaded), "regular", "en")


def test_rendered_messages_have_their_tokens(genrec: Genrec) -> None:
    shown = json.loads(genrec("prompt", "render", "movies", "--task", "explain", "--language", "zh", "--json").stdout)
    assert len(shown["tokens"]) == len(shown["messages"]) == 3
    assert shown["total"] > sum(shown["tokens"])
    assert "worst" in genrec("prompt", "render", "movies", "--sample", "worst").stdout
