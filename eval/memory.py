"""How much of the model's ranking is what it remembers from its training, and not what the prompt says?

The same lists four ways: as they are; with neutral names instead of titles and no descriptions, so that nothing can be
recognised; without the user's history; and without either. A model that reads the prompt loses by a missing history;
one that remembers the data loses by missing titles, and ranks well without a history (Bordt et al., Elephants Never
Forget, COLM 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.method import DEPTH, Status
from eval.methods.model import Asker
from eval.metrics import per_user
from genrec.statistics import Values, mean_of, paired
from retrieval import Item
from retrieval.fit import Case

_AS_IT_IS = "as it is"


def measure(
    asker: Asker, cases: Sequence[Case], pools: Sequence[Sequence[str]], status: Status
) -> list[dict[str, Any]]:
    """One row for each way: NDCG@10, and the paired difference from the prompt as it is."""
    unnamed = asker.with_items(neutral(asker.items))
    ways: Mapping[str, Asker] = {
        _AS_IT_IS: asker,
        "no history": asker.with_history(0),
        "neutral titles": unnamed,
        "neutral titles, no history": unnamed.with_history(0),
    }
    relevant = [{case.target} for case in cases]
    gains: dict[str, Values] = {}
    for name, way in ways.items():
        status(name)
        answers = way.rank(cases, pools, DEPTH, status)
        gains[name] = per_user(answers.ranked, relevant)["ndcg@10"]
    return [_row(name, found, gains[_AS_IT_IS]) for name, found in gains.items()]


def neutral(items: Sequence[Item]) -> list[Item]:
    """The items without names, descriptions and attributes that could name them; categories stay."""
    return [
        item.model_copy(update={"title": f"Item {number}", "description": "", "attributes": {}})
        for number, item in enumerate(items, start=1)
    ]


def _row(name: str, gains: Values, base: Values) -> dict[str, Any]:
    mean = mean_of(gains)
    pair = paired(gains, base)
    return {
        "prompt": name,
        "ndcg@10": round(mean.mean, 4),
        "interval": [round(mean.low, 4), round(mean.high, 4)],
        "difference": round(pair.difference, 4),
        "difference interval": [round(pair.low, 4), round(pair.high, 4)],
        "p": round(pair.p, 4),
        "verdict": "-" if name == _AS_IT_IS else pair.verdict(),
    }
