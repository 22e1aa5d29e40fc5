"""The whole way from a folder to tables: figures, verdicts, what is kept, candidate files, the page."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval import candidates, fairness, memory
from eval.__main__ import app
from eval.keeping import Keeper, Kept
from eval.method import Answers, Params, Ranked, Ranker, Status
from eval.methods import Toolbox
from eval.methods.model import Asker
from eval.protocols import LeakError, Training, last_items, leave_one_out
from eval.run import evaluate, summary
from genrec import DataError, write_folder
from genrec.testing import FakeEncoder, ScriptedEngine
from retrieval.fit import Case
from tests.eval.worlds import chains, quiet


class _Always:
    """Puts the hidden item, or always the same ones, first; counts how often it was asked."""

    def __init__(self, name: str, *, right: bool) -> None:
        self.name, self._right, self.asked = name, right, 0

    def prepare(self, training: Training, status: Status) -> tuple[Ranker, Params]:
        return self, {"right": self._right}

    def rank(self, cases: Sequence[Case], pools: object, k: int, status: Status) -> Answers:
        self.asked += 1
        return Answers([Ranked([case.target] if self._right else ["i58", "i59"], 0.5) for case in cases])


def test_figures_intervals_and_verdicts(tmp_path: Path) -> None:
    split = leave_one_out(chains())
    methods = [_Always("retriever", right=False), _Always("oracle", right=True)]
    found = evaluate(split, methods, split.test, None, Keeper(tmp_path, "a"), quiet)
    result = summary(split, split.test, found, sizes=None)["methods"]
    assert result["oracle"]["ndcg@10"] == result["oracle"]["hr@10"] == 1
    assert result["oracle"]["interval"] == [1, 1]
    assert result["oracle"]["against retriever"]["verdict"] == "better"
    assert result["oracle"]["calibration error"] == 0.5
    assert result["retriever"]["lists"]["coverage@10"] == pytest.approx(2 / 60, abs=1e-5)
    assert "against retriever" not in result["retriever"]


def test_where_hidden_items_were_disliked_those_that_were_liked_are_measured_too(tmp_path: Path) -> None:
    split = leave_one_out(chains())
    cases = [replace(case, liked=number < 30) for number, case in enumerate(split.test)]

    class Half(_Always):
        def rank(self, cases: Sequence[Case], pools: object, k: int, status: Status) -> Answers:
            return Answers([Ranked([case.target] if case.liked else ["i0"]) for case in cases])

    found = evaluate(split, [Half("half", right=True)], cases, None, Keeper(tmp_path, "a"), quiet)
    result = summary(split, cases, found, sizes=None)["methods"]["half"]
    assert result["ndcg@10, liked"] == 1
    assert result["ndcg@10, liked, users"] == 30
    assert result["ndcg@10"] < 1


def test_a_leak_is_refused_before_anything_is_ranked(tmp_path: Path) -> None:
    split = leave_one_out(chains())
    leaking = replace(split, training=replace(split.training, later=[]))
    method = _Always("oracle", right=True)
    with pytest.raises(LeakError):
        evaluate(leaking, [method], split.test, None, Keeper(tmp_path, "a"), quiet)
    assert method.asked == 0


def test_what_was_ranked_is_kept_for_the_same_run_only(tmp_path: Path) -> None:
    split, method = leave_one_out(chains()), _Always("oracle", right=True)
    for mark in ("a", "a", "b"):
        found = evaluate(split, [method], split.test, None, Keeper(tmp_path, mark), quiet)
        assert found["oracle"].users["hr@1"].mean() == 1
    assert method.asked == 2
    assert not list(tmp_path.glob("*.draft"))


def test_a_half_written_result_is_not_taken_for_one(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "a")
    keeper.put("oracle", Kept([Ranked(["i1"])], {}, {}, {}))
    (tmp_path / "oracle.draft").write_text('{"fingerprint": "a", "ran')
    kept = keeper.get("oracle")
    assert kept is not None
    assert kept.ranked == [Ranked(["i1"])]


def test_recall_of_a_whole_pool_is_no_figure(tmp_path: Path) -> None:
    split = leave_one_out(chains())
    found = evaluate(split, [_Always("oracle", right=True)], split.test, None, Keeper(tmp_path, "a"), quiet)
    result = summary(split, split.test, found, sizes=[20] * len(split.test))["methods"]["oracle"]
    assert "recall@20" not in result
    assert "hr@10" in result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = chains()
    users = [store.user(user_id) for user_id in store.user_ids]
    write_folder(tmp_path / "world", {"items": store.items, "users": users, "events": store.events})
    return tmp_path / "world"


def test_lists_are_frozen_ranked_and_written_out(folder: Path, tmp_path: Path) -> None:
    lists, out = tmp_path / "lists.tsv", tmp_path / "out"
    call = CliRunner().invoke
    assert call(app, ["candidates", "--data", str(folder), "--users", "60", str(lists)]).exit_code == 0
    rows = lists.read_text().splitlines()
    assert (rows[0], len(rows)) == ("user_id\titem_ids", 61)
    asked = ["rank", "--data", str(folder), "--candidates", str(lists), "--methods", "pop,itemknn", "--out", str(out)]
    done = call(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    [result] = list(out.glob("*/result.json"))
    methods = json.loads(result.read_text())["methods"]
    assert methods["itemknn"]["ndcg@10"] > 0.9
    assert methods["itemknn"]["interval"][0] <= methods["itemknn"]["ndcg@10"] <= methods["itemknn"]["interval"][1]
    assert methods["itemknn"]["rates"]["nothing ranked"] == 0
    users = (result.parent / "users.tsv").read_text().splitlines()
    assert len(users) == 1 + 2 * 60
    page = tmp_path / "report.html"
    assert call(app, ["report", str(result), "--out", str(page)]).exit_code == 0
    text = page.read_text()
    assert "<svg" in text
    assert "python -m eval" in text
    assert not re.search(r"(src|href)=[\"']https?:", text)
    assert json.loads(page.with_suffix(".json").read_text())[0]["methods"].keys() == {"pop", "itemknn"}


def test_the_same_seed_freezes_the_same_lists() -> None:
    split = leave_one_out(chains())
    one, same = (candidates.draw(split, split.test, 10, "uniform", seed=4) for _ in range(2))
    other = candidates.draw(split, split.test, 10, "popularity", seed=5)
    assert one == same != other
    for case, pool in zip(split.test, one, strict=True):
        assert case.target in pool
        assert len(set(pool)) == 10
        assert not {event.item_id for event in case.query.history} & set(pool)
    assert len({pool.index(case.target) for case, pool in zip(split.test, one, strict=True)}) == 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("u0", "line 2: expected a user id, a tab and item ids, found 'u0'"),
        ("u0\ti1 i1", "line 2: user 'u0', or one of the items, is there twice"),
        ("u0\ti1 i99", "line 2: no item 'i99' in the catalogue"),
        ("nobody\ti1", "line 2: no user 'nobody' in the data"),
    ],
)
def test_bad_lines_of_candidate_files_are_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "lists.tsv"
    path.write_text(f"user_id\titem_ids\n{line}\n")
    with pytest.raises(DataError, match=re.escape(said)):
        candidates.read(path, chains())


def test_frozen_lists_are_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "lists.tsv"
    path.write_text("mine")
    with pytest.raises(DataError, match="is there already"):
        candidates.write(path, [], [])
    assert path.read_text() == "mine"


def _asker(engine: ScriptedEngine, training: Training) -> Asker:
    [method] = Toolbox("general", quiet, engine, encoder=FakeEncoder()).methods(["labels"])
    ranker, _ = method.prepare(training, quiet)
    assert isinstance(ranker, Asker)
    return ranker


def test_a_swapped_attribute_reaches_the_prompt_and_nothing_else_changes(own_cache: Path) -> None:
    split, engine = leave_one_out(chains(users=60)), ScriptedEngine()
    asker, cases = _asker(engine, split.training), split.test[:4]
    asker.rank(cases, None, 10, quiet)
    [row] = fairness.swaps(asker, split.training, cases, quiet)
    assert row["attribute"] == "age"
    assert row["noise"] == 0
    prompts = [messages[-1]["content"] for messages in engine.prompts]
    base, swapped = set(prompts[:4]), set(prompts[-4:])
    assert not base & swapped
    users = fairness.swapped(split.training.users, "age")
    assert all(users[u].attributes["age"] != split.training.users[u].attributes["age"] for u in users)


def test_groups_that_are_served_alike_do_not_differ() -> None:
    split = leave_one_out(chains())
    right = Answers([Ranked([case.target]) for case in split.test])
    rows = fairness.groups(right, split.test)
    assert {row["ndcg@10"] for row in rows} == {1.0}
    old_only = Answers(
        [Ranked([case.target] if int(str(case.query.user.attributes["age"])) >= 40 else []) for case in split.test]
    )
    assert all(row["p"] < 0.001 for row in fairness.groups(old_only, split.test))


def test_neither_titles_nor_history_are_in_a_prompt_without_them(own_cache: Path) -> None:
    split, engine = leave_one_out(chains(users=60)), ScriptedEngine()
    named = [i.model_copy(update={"title": f"Famous film {i.item_id}"}) for i in split.training.items]
    asker, cases = _asker(engine, replace(split.training, items=named)), split.test[:3]
    pools = [[case.target, "i40", "i50"] for case in cases]
    before = len(engine.prompts)
    rows = memory.measure(asker, cases, pools, quiet)
    assert [row["prompt"] for row in rows] == ["as it is", "no history", "neutral titles", "neutral titles, no history"]
    prompts = [messages[-1]["content"] for messages in engine.prompts[before:]]
    assert len(prompts) == 12
    ways = [prompts[3 * way : 3 * way + 3] for way in range(4)]
    assert [all("view: " in prompt for prompt in way) for way in ways] == [True, False, True, False]
    assert [all("Famous film" in prompt for prompt in way) for way in ways] == [True, True, False, False]
    assert not any("Famous film" in prompt for way in ways[2:] for prompt in way)
    assert not any("view: " in prompt for way in ways[1::2] for prompt in way)


def test_last_items_of_a_file_are_hidden_from_everybody() -> None:
    store = chains()
    split = last_items(store, ["u0"])
    assert ("u0", split.test[0].target) not in {(e.user_id, e.item_id) for e in split.training.everything}


def test_the_page_has_curves_of_places_and_of_popularity(tmp_path: Path) -> None:
    shared = {"data": "films", "command": "python -m eval ...", "users": 5, "items": 9, "protocol": "leave-one-out"}
    curve = [
        {"place": label, "model: rank": rank, "model: hits": "0.5"} for label, rank in (("A", "9.5"), ("B", "11.0"))
    ]
    ranks = {
        "kind": "ranks",
        **shared,
        "rows": [{"ranks": "chance"}],
        "bias": {"curve": curve, "spread": [{"sd": "1"}]},
    }
    exposure = [{"items": f"{name} fifth", "of places": 0.5, "of takes": 0.5} for name in ("most taken", "second")]
    fair = {"kind": "fair", **shared, "methods": {"retriever": {"swaps": [], "groups": [], "exposure": exposure}}}
    files = [tmp_path / "ranks.json", tmp_path / "fair.json"]
    for path, result in zip(files, (ranks, fair), strict=True):
        path.write_text(json.dumps(result))
    page = tmp_path / "report.html"
    assert CliRunner().invoke(app, ["report", *map(str, files), "--out", str(page)]).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "flat where places do not matter" in text
