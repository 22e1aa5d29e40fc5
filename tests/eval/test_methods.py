"""Every method finds what can be known, knows nothing that cannot be, and is the same each time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from eval.method import Catalogue, Method
from eval.methods import NAMES, Toolbox, factors, sasrec
from eval.methods.graph import Graph
from eval.methods.toolbox import BASELINES, MODELS
from eval.metrics import chance, per_user
from eval.protocols import Split, leave_one_out
from genrec import DataError, Event, Item
from genrec.testing import FakeEncoder, ScriptedEngine
from retrieval.fit import Case
from tests.eval.worlds import chains, circles, noise, quiet, sequences

Tools = Callable[..., Toolbox]
_FAST = [name for name in NAMES if name not in {"sasrec", "sasrec-ce"}]


@pytest.fixture
def tools(own_cache: object) -> Tools:
    def make(engine: ScriptedEngine | None = None) -> Toolbox:
        return Toolbox("general", quiet, engine or ScriptedEngine(), encoder=FakeEncoder())

    return make


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sasrec, "_MOST_EPOCHS", 25)
    for baseline in (factors.ALS, factors.BPR):
        short = {setting: values[:2] for setting, values in baseline.grid.items()}
        monkeypatch.setitem(BASELINES, baseline.name, replace(baseline, grid=short))


def _hit_rate(method: Method, split: Split) -> float:
    ranker, _ = method.prepare(split.training, quiet)
    return _hits(ranker.rank(split.test, None, 10, quiet).ranked, split)


def _hits(ranked: object, split: Split) -> float:
    return float(per_user(ranked, [{case.target} for case in split.test])["hr@10"].mean())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["itemknn", "adamic-adar", "walk", "als", "bpr", "sasrec-ce", "retriever", "fused"])
def test_what_comes_next_for_sure_is_found(name: str, tools: Tools) -> None:
    [method] = tools().methods([name])
    assert _hit_rate(method, leave_one_out(chains())) > 0.7


@pytest.mark.parametrize("name", [*_FAST, "sasrec-ce"])
def test_nobody_knows_what_nobody_can_know(name: str, tools: Tools) -> None:
    """The same lists with a drawn item as the hidden one: every method falls to chance."""
    split = leave_one_out(noise())
    draw = random.Random(3)
    ids = [item.item_id for item in split.training.items]
    pools = []
    cases = []
    for case in split.test:
        met = {event.item_id for event in case.query.history}
        pool = draw.sample([item_id for item_id in ids if item_id not in met], 20)
        pools.append(pool)
        cases.append(replace(case, target=draw.choice(pool)))
    [method] = tools().methods([name])
    ranker, _ = method.prepare(split.training, quiet)
    found = per_user(ranker.rank(cases, pools, 20, quiet).ranked, [{case.target} for case in cases])
    expected = chance(20)
    assert found["hr@10"].mean() == pytest.approx(expected["hr@10"], abs=4 * 0.5 / len(cases) ** 0.5)
    assert found["ndcg@10"].mean() == pytest.approx(expected["ndcg@10"], abs=4 * 0.3 / len(cases) ** 0.5)


@pytest.mark.parametrize("name", _FAST)
def test_the_same_question_gets_the_same_answer(name: str, tools: Tools) -> None:
    split = leave_one_out(chains(users=60))
    lists = []
    for _ in range(2):
        [method] = tools().methods([name])
        ranker, chosen = method.prepare(split.training, quiet)
        lists.append(([one.item_ids for one in ranker.rank(split.test, None, 10, quiet).ranked], chosen))
    assert lists[0] == lists[1]


@pytest.mark.parametrize("name", _FAST)
def test_a_pool_is_ranked_whole_and_nothing_else(name: str, tools: Tools) -> None:
    split = leave_one_out(chains(users=60))
    met = [case.query.history[0].item_id for case in split.test]
    pools = [list(dict.fromkeys([case.target, "i40", "i50", old])) for case, old in zip(split.test, met, strict=True)]
    [method] = tools().methods([name])
    ranker, _ = method.prepare(split.training, quiet)
    for one, pool in zip(ranker.rank(split.test, pools, 100, quiet).ranked, pools, strict=True):
        assert sorted(one.item_ids) == sorted(pool)


def test_ties_are_broken_by_a_draw_and_not_by_the_order_of_the_data() -> None:
    split = leave_one_out(noise(size=200))
    ranker, _ = BASELINES["bm25"].prepare(split.training, quiet)
    assert _hits(ranker.rank(split.test, None, 10, quiet).ranked, split) < 0.2
    shown = [one.item_ids[0] for one in ranker.rank(split.test[:1], None, 200, quiet).ranked]
    assert shown != ["i0"]


def test_unknown_methods_are_named(tools: Tools) -> None:
    with pytest.raises(DataError, match="no method 'svd': name any of pop, bm25"):
        tools().methods(["pop", "svd"])


def test_a_failed_model_ranks_nothing(tools: Tools) -> None:
    """The retriever's order must not be measured as the model's."""
    from genrec import EngineError

    split = leave_one_out(chains(users=60))
    [method] = tools(ScriptedEngine(error=EngineError("down"))).methods(["labels"])
    ranker, _ = method.prepare(split.training, quiet)
    answers = ranker.rank(split.test, None, 10, quiet)
    assert {tuple(one.item_ids) for one in answers.ranked} == {()}
    assert answers.cost["fallbacks"] == 1


def test_items_that_a_list_does_not_name_are_not_ranked(tools: Tools) -> None:
    split = leave_one_out(chains(users=60))
    engine = ScriptedEngine(text='[{"label": "B", "reason": "x"}, {"label": "Z"}, {"label": "A", "reason": "y"}]')
    [method] = tools(engine).methods(["json"])
    ranker, _ = method.prepare(split.training, quiet)
    answers = ranker.rank(split.test, [["i40", "i41", "i42", "i43"]] * len(split.test), 10, quiet)
    assert {len(one.item_ids) for one in answers.ranked} == {2}
    assert answers.cost["invalid labels"] == 1
    assert answers.cost["fallbacks"] == 0


def test_a_network_learns_no_more_from_padding() -> None:
    """The score of a sequence is the same alone and beside a longer one."""
    import torch

    torch.manual_seed(0)
    network = sasrec.Network(9).eval()
    alone = network(torch.tensor([[3, 4]]))[0, 1]
    beside = network(torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8]]))[0, 1]
    assert torch.allclose(alone, beside, atol=1e-6)


def test_popularity_counts_what_was_taken_lately_where_that_is_better() -> None:
    catalogue = Catalogue(leave_one_out(chains()).training, chains().events)
    latest = BASELINES["pop"].make(catalogue, {"latest": 0.03}).scores(leave_one_out(chains()).test[:1])[0]  # type: ignore[attr-defined]
    assert latest.sum() == round(0.03 * len(catalogue.by_time))
    assert np.flatnonzero(latest).size < 60


@pytest.mark.parametrize("name", ["adamic-adar", "walk"])
def test_friends_of_friends_are_found(name: str) -> None:
    """Of a circle of eleven only what is hidden from both sides is not known."""
    split = leave_one_out(circles())
    ranker, _ = BASELINES[name].prepare(split.training, quiet)
    assert _hits(ranker.rank(split.test, None, 10, quiet).ranked, split) == 1


@pytest.mark.parametrize("name", [name for name in _FAST if name not in MODELS])
def test_nobody_is_ranked_for_themself(name: str, tools: Tools) -> None:
    split = leave_one_out(circles(count=6))
    [method] = tools().methods([name])
    ranker, _ = method.prepare(split.training, quiet)
    for case, one in zip(split.test, ranker.rank(split.test, None, 100, quiet).ranked, strict=True):
        assert case.query.user.user_id not in one.item_ids


def test_a_person_is_one_node() -> None:
    """Ann follows bob, and bob eve: three people; films with the same ids would be other nodes."""
    follows = [Event(user_id=one, item_id=other, type="follow") for one, other in ["ab", "be"]]
    named = [Item(item_id=one, title=one) for one in "abe"]
    training = replace(leave_one_out(chains()).training, items=named, events=follows, later=[])
    people = Graph(Catalogue(replace(training, people=True), follows))
    assert people.joined.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert len(Graph(Catalogue(training, follows)).degrees) == 5


def test_neighbours_in_common_count_by_how_few_they_have() -> None:
    """Two users share an item with the asker: what the one with fewer items took comes first."""
    store = sequences([0, 1], [0, 2], [1, 3, 4, 5, 6], size=7)
    training = replace(leave_one_out(chains()).training, items=store.items, events=store.events, later=[])
    catalogue = Catalogue(training, store.events)
    asker = replace(leave_one_out(chains()).test[0].query, user=store.user("u0"))
    [scores] = BASELINES["adamic-adar"].make(catalogue, {"rarity": "adamic-adar"}).scores([Case(asker, "i2")])  # type: ignore[attr-defined]
    assert scores[2] == pytest.approx(1 / np.log(2))
    assert scores[3] == pytest.approx(1 / np.log(5))


def test_a_walk_divides_by_popularity_as_much_as_it_is_told() -> None:
    store = sequences([0, 1], [0, 2], [0, 2], [0, 3], size=4)
    training = replace(leave_one_out(chains()).training, items=store.items, events=store.events, later=[])
    catalogue = Catalogue(training, store.events)
    asker = replace(leave_one_out(chains()).test[0].query, user=store.user("u0"))
    walk = BASELINES["walk"].make  # type: ignore[attr-defined]
    plain, damped = (
        walk(catalogue, {"restart": 0.3, "steps": 3, "damping": damping}).scores([Case(asker, "i2")])[0]
        for damping in (0.0, 1.0)
    )
    assert plain[2] == pytest.approx(2 * plain[3])
    assert damped[2] == pytest.approx(damped[3])
