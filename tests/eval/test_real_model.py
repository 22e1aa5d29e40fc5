"""The model's methods on the real engine: every list whole, no answer that fell back, and the cost beside it."""

from __future__ import annotations

import pytest

from eval.methods import Toolbox
from eval.protocols import leave_one_out
from genrec import Recommender, runner
from genrec.comparing import compare
from genrec.parts import hold_out
from genrec.prompting import load_pack
from tests.eval.worlds import chains, quiet

pytestmark = pytest.mark.model


@pytest.mark.parametrize("name", ["labels-4-calibrated", pytest.param("json", marks=pytest.mark.long)])
def test_methods_of_the_model(films: Recommender, name: str) -> None:
    split = leave_one_out(chains(users=60))
    cases = split.test[:6]
    pools = [list(dict.fromkeys([case.target, "i40", "i45", "i50", "i55"])) for case in cases]
    tools = Toolbox("general", quiet, films.engine, encoder=films.retriever.knowledge.encoder)
    [method] = tools.methods([name])
    ranker, chosen = method.prepare(split.training, quiet)
    answers = ranker.rank(cases, pools, 10, quiet)
    assert chosen["model"] == films.engine.model
    assert answers.cost["fallbacks"] == 0
    assert answers.cost["prompt tokens"] > 100
    for one, pool in zip(answers.ranked, pools, strict=True):
        assert set(one.item_ids) <= set(pool)
        assert len(one.item_ids) == len(set(one.item_ids)) > 0
        assert name == "json" or len(one.item_ids) == len(pool)


def test_two_packs_on_the_real_model(films: Recommender) -> None:
    known, cases = hold_out(chains(users=60))
    encoder = films.retriever.knowledge.encoder
    recommender = Recommender.from_store(known, engine=films.engine, encoder=encoder)
    packs = load_pack("general"), load_pack("shop")
    found = runner.run(compare(recommender, *packs, cases[:4], lambda done, of: None))
    assert (found.a.name, found.b.name, found.users) == ("general", "shop", 4)
    assert found.figures["fallbacks"].a == found.figures["fallbacks"].b == 0
    assert found.figures["tokens"].a > 500
