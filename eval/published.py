"""Published figures beside ours, where data and protocol are the same, and the popularity that papers mostly report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.method import ByScore, Catalogue
from eval.methods.popularity import Popularity
from eval.metrics import per_user
from eval.protocols import Split
from genrec.store import Store
from retrieval.fit import Case

_FIGURES = ("hr@10", "ndcg@10")
_BEAUTY = {"users": 22_363, "items": 12_101, "protocol": "leave-one-out"}
"""What a result of Amazon Beauty 5-core says of itself."""
_PUBLISHED = {
    "GRU4Rec": (0.0283, 0.0137),
    "Caser": (0.0347, 0.0176),
    "BERT4Rec": (0.0347, 0.0170),
    "SASRec": (0.0605, 0.0318),
    "S3-Rec": (0.0647, 0.0327),
    "PopRec": (0.0152, 0.0068),
}
"""On Beauty, all items ranked and met ones masked: Zhou et al., S3-Rec, CIKM 2020, and papers that follow it."""
_SAME = {"SASRec": "sasrec", "PopRec": "pop, hidden items counted"}
"""What is the same method here."""


def popularity_with_a_leak(store: Store, split: Split, cases: Sequence[Case]) -> dict[str, float]:
    """HR@10 and NDCG@10 of popularity where the hidden items are counted too, as is often published.

    The target then adds one to its own count, which lifts every rare one: a leak, shown so that published figures can
    be read, and never compared with.
    """
    catalogue = Catalogue(split.training, store.events)
    told = ByScore(catalogue, Popularity(catalogue, {"latest": 1.0})).rank(cases, None, 10, lambda _: None)
    found = per_user(told.ranked, [{case.target} for case in cases])
    return {figure: round(float(found[figure].mean()), 5) for figure in _FIGURES}


def beside(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each published method, with ours where it is the same; empty for other data or another protocol."""
    if any(result[name] != value for name, value in _BEAUTY.items()):
        return []
    ours = {**result["methods"], "pop, hidden items counted": result["popularity with the hidden items counted"]}
    rows = []
    for name, published in _PUBLISHED.items():
        same = ours.get(_SAME.get(name, ""))
        row: dict[str, Any] = {"published": name}
        for figure, value in zip(_FIGURES, published, strict=True):
            row |= {figure: value, f"{figure}, ours": same[figure] if same else "-"}
            row[f"{figure}, ratio"] = round(same[figure] / value, 3) if same else "-"
        rows.append(row)
    return rows
