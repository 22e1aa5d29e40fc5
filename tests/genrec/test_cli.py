"""The command as its users run it: answers on stdout, one line on stderr for what goes wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from genrec import Weights
from genrec.learn.shelf import Shelf
from genrec.store import folder_weights
from tests.conftest import FILMS, GENREC, Genrec


def _genrec(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as people run it."""
    return subprocess.run([*GENREC, *arguments], capture_output=True, text=True, timeout=300, check=False, cwd=cwd)


_TRAINING = [f"train {command}" for command in ("run", "judge", "list", "promote", "rollback", "forget")]
_COMMANDS = ["recommend", "explain", "why-not", "contrast", "similar", "fit", *_TRAINING, "doctor", "demo"]


@pytest.mark.parametrize("command", ["", "import", *_COMMANDS])
def test_help_has_an_example(command: str, genrec: Genrec) -> None:
    shown = genrec(*command.split(), "--help")
    assert shown.returncode == 0
    assert command in {"", "import"} or f"Example: genrec {command}" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("recommend --data /nowhere --user u", 1, "no data folder at '/nowhere': give a folder"),
        (f"recommend --data {FILMS} --user maya --pack moives", 1, "no prompt pack 'moives'"),
        (f"recommend --data {FILMS} --user maya --user may", 1, "no user 'may' in the data; did you mean 'maya'?"),
        (f"similar --data {FILMS} --item heat", 1, "no item 'heat' in the catalogue; did you mean 'heat-1995'?"),
        (f"recommend --data {FILMS} --user maya --context Beijing", 2, "write --context KEY=VALUE"),
        (f"recommend --data {FILMS} --user maya --context time=tea", 2, "time='tea'"),
        (f"recommend --data {FILMS} --user maya --where tea", 2, "write --where NAME=VALUE"),
        (f"recommend --data {FILMS} --user maya --where year=2..1", 2, "nothing is between 2 and 1"),
        (f"similar --data {FILMS} --item heat-1995 --where year=a..b", 2, "could not convert string to float: 'a'"),
        (f"fit --data {FILMS}", 1, "fitting needs 50; the defaults stay"),
        (f"fit --ranking --data {FILMS}", 1, "fitting needs 50; the defaults stay"),
        (f"recommend --data {FILMS} --user maya --strategy json --candidates 27", 2, "json takes at most 26"),
        (f"explain --data {FILMS} --user maya --item heat", 1, "did you mean 'heat-1995'?"),
        (f"why-not --data {FILMS} --user may --item heat-1995", 1, "did you mean 'maya'?"),
        (f"contrast --data {FILMS} --user maya --item heat-1995 --with fargo", 1, "no item 'fargo'"),
        (f"explain --data {FILMS} --user maya --item heat-1995 --language fr", 2, "is not one of"),
        (f"recommend --data {FILMS} --user maya --n 0", 2, "greater than or equal to 1"),
        ("train run --data /nowhere", 1, "no data folder at '/nowhere'"),
        (f"train run --data {FILMS} --database sqlite:///x", 2, "by --data or by --database, one of the two"),
        ("train promote 3f2a91c04d5e --adapters /nowhere", 1, "no adapter '3f2a91c04d5e' in /nowhere"),
        ("train rollback --adapters /nowhere", 1, "nothing to go back to in /nowhere"),
        (f"recommend --data {FILMS} --user maya --adapter {FILMS}", 1, "which is no part of an adapter"),
        ("import movielens-100k /nowhere /tmp/genrec-never", 1, "ml-100k.item is missing"),
        ("import lastfm-hetrec /nowhere /tmp/genrec-never", 1, "artists.dat is missing"),
        ("import lastfm-hetrec /nowhere /tmp/genrec-never --what songs", 2, "is not one of"),
    ],
)
def test_what_goes_wrong_is_one_line(arguments: str, status: int, message: str, genrec: Genrec) -> None:
    failed = genrec(*arguments.split())
    assert failed.returncode == status
    assert failed.stdout == ""
    assert "Traceback" not in failed.stderr
    assert message in " ".join(failed.stderr.replace("│", " ").split())
    if status == 1:
        assert len(failed.stderr.strip().splitlines()) == 1


@pytest.mark.model
def test_questions_about_single_items_start_no_language_model(genrec: Genrec) -> None:
    why = json.loads(genrec(*f"why-not --data {FILMS} --user maya --item heat-1995 --json".split()).stdout)
    assert why["above"]
    assert why["missing"]
    shown = genrec(*f"contrast --data {FILMS} --user maya --item heat-1995 --with toy-story-1995".split())
    assert "Toy Story is ahead of Heat" in shown.stdout
    assert "vLLM" not in shown.stderr


@pytest.mark.model
def test_similar_items_within_a_filter_and_why(genrec: Genrec) -> None:
    shown = genrec(
        *f"similar --data {FILMS} --item heat-1995 --where year=1990..1999 --deny fargo-1996 --n 4 --json".split()
    )
    found = json.loads(shown.stdout)["similar"]
    assert len(found) == 4
    assert all(1990 <= int(row["item_id"][-4:]) <= 1999 and row["why"] for row in found)
    assert all(abs(sum(row["signals"].values()) - row["score"]) < 0.001 for row in found)


@pytest.mark.model
def test_fitted_weights_are_saved_with_the_data_and_used(tmp_path: Path, genrec: Genrec) -> None:
    items = "".join(json.dumps({"item_id": str(n), "title": f"Film {n}"}) + "\n" for n in range(40))
    sequences = "".join(f"u{n}\t{' '.join(str((n * 7 + step) % 40) for step in range(5))}\n" for n in range(60))
    (tmp_path / "items.jsonl").write_text(items)
    (tmp_path / "sequences.tsv").write_text(sequences)
    fitted = json.loads(genrec("fit", "--data", str(tmp_path), "--json").stdout)
    assert fitted["after"] >= fitted["before"]
    assert folder_weights(tmp_path) == Weights.model_validate(fitted["weights"])


@pytest.mark.model
def test_a_missing_model_is_one_line(genrec: Genrec) -> None:
    failed = genrec("recommend", "--data", str(FILMS), "--user", "maya", "--model", "/nowhere")
    assert failed.returncode == 1
    assert failed.stderr.strip().splitlines()[-1].startswith("genrec: no model at '/nowhere'")


@pytest.mark.model
def test_a_server_that_is_not_there_is_one_line(genrec: Genrec) -> None:
    failed = genrec("recommend", "--data", str(FILMS), "--user", "maya", "--engine", "http://127.0.0.1:9")
    assert failed.returncode == 1
    assert "genrec: no engine at http://127.0.0.1:9" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.model
def test_similar_prints_json_and_nothing_else(genrec: Genrec) -> None:
    shown = genrec("similar", "--data", str(FILMS), "--item", "my-neighbor-totoro-1988", "--n", "3", "--json")
    found = json.loads(shown.stdout)
    assert found["item_id"] == "my-neighbor-totoro-1988"
    assert len(found["similar"]) == 3


@pytest.mark.model
def test_the_demo_prints_two_answers_and_nothing_else(tmp_path: Path) -> None:
    shown = _genrec("demo", "--json", cwd=tmp_path)
    films, shop = map(json.loads, shown.stdout.splitlines())
    assert shown.returncode == 0
    assert (films["user_id"], shop["user_id"]) == ("maya", "1001")
    assert films["model"] == f"{shop['model']}+{Shelf.beside(FILMS).production}"
    assert [len(answer["items"]) for answer in (films, shop)] == [5, 5]
    assert all(item["reason"]["text"] for answer in (films, shop) for item in answer["items"])
    assert not {item["item_id"] for item in shop["items"]} & {"1", "3", "5"}


@pytest.mark.model
def test_the_doctor_finds_this_machine_well() -> None:
    shown = _genrec("doctor", "--json")
    report = json.loads(shown.stdout)
    assert report["ok"], report
    assert {finding["topic"] for finding in report["findings"]} >= {"python", "cpu", "gpu", "engine", "model"}
