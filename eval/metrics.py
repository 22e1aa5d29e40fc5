"""What ranked lists are worth: to each user by trec_eval, and to the catalogue as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytrec_eval

from eval.method import DEPTH, Catalogue, Ranked
from genrec.statistics import Values

K = 10
_HEAD = 0.2
_MEASURES = {
    "hr@1": "success_1",
    "hr@5": "success_5",
    "hr@10": "success_10",
    "ndcg@5": "ndcg_cut_5",
    "ndcg@10": "ndcg_cut_10",
    "mrr": "recip_rank",
    "recall@20": "recall_20",
    "recall@50": "recall_50",
    "recall@100": "recall_100",
}
"""Our names and those of trec_eval. `mrr` counts 0 behind the first 100."""
PER_USER = tuple(_MEASURES)


def per_user(ranked: Sequence[Ranked], relevant: Sequence[Collection[str]]) -> dict[str, Values]:
    """Each figure for each user, 0 where nothing was ranked. `relevant` are the hidden items of each, one or more.

    NDCG as by Järvelin and Kekäläinen (2002): with one relevant item 1 / log2(1 + rank). With one, HR@k and recall@k
    are the same number.
    """
    wanted = {str(number): dict.fromkeys(items, 1) for number, items in enumerate(relevant)}
    runs = {
        str(number): {item_id: float(DEPTH - place) for place, item_id in enumerate(one.item_ids[:DEPTH])}
        for number, one in enumerate(ranked)
    }
    cuts = {"success.1,5,10", "ndcg_cut.5,10", "recip_rank", "recall.20,50,100"}
    found = pytrec_eval.RelevanceEvaluator(wanted, cuts).evaluate(runs)
    return {
        ours: np.array([found.get(str(number), {}).get(theirs, 0.0) for number in range(len(relevant))])
        for ours, theirs in _MEASURES.items()
    }


def of_lists(ranked: Sequence[Ranked], catalogue: Catalogue) -> dict[str, float]:
    """What the first ten of all lists show of the catalogue.

    - `coverage@10`: share of the items that stand in any list.
    - `long_tail@10`: share of places that go to items outside the fifth that most users took.
    - `novelty@10`: mean of -log2 of the share of users who took the item (Zhou et al., PNAS 2010); one who nobody
      took counts as taken by one.
    - `popularity@10`: mean number of takers, over that of the items that users took themselves: 1 is as popular as
      what they choose (Abdollahpouri et al., 2019, popularity lift plus 1).
    - `diversity@10`: 1 - the mean Jaccard of the categories of two items of a list (Ziegler et al., WWW 2005).
    - `gini@10`: how unevenly places are given to items, from 0, all alike, to 1.
    """
    lists = [catalogue.rows(one.item_ids[:K]) for one in ranked if one.item_ids]
    if not lists:
        return {}
    shown, counts = np.concatenate(lists), catalogue.counts()
    head = np.argsort(-counts, kind="stable")[: round(_HEAD * len(counts))]
    exposure = np.bincount(shown, minlength=len(counts))
    taken = np.concatenate(catalogue.sequences)
    return {
        "coverage@10": float((exposure > 0).mean()),
        "long_tail@10": float((~np.isin(shown, head)).mean()),
        "novelty@10": float(-np.log2(np.maximum(counts[shown], 1) / len(catalogue.users)).mean()),
        "popularity@10": float(counts[shown].mean() / counts[taken].mean()),
        "diversity@10": _diversity(lists, catalogue),
        "gini@10": gini(exposure),
    }


def gini(amounts: npt.NDArray[np.int64]) -> float:
    """Gini coefficient of amounts ≥ 0: 0 if all are the same, near 1 if one has everything."""
    ordered = np.sort(amounts).astype(np.float64)
    places = np.arange(1, len(ordered) + 1)
    total = ordered.sum()
    return float(((2 * places - len(ordered) - 1) * ordered).sum() / (len(ordered) * total)) if total else 0.0


def _diversity(lists: Sequence[npt.NDArray[np.int64]], catalogue: Catalogue) -> float:
    known: dict[int, frozenset[str]] = {}
    alike = []
    for rows in lists:
        kinds = [known.setdefault(row, frozenset(catalogue.items[row].categories)) for row in rows.tolist()]
        alike += [len(a & b) / len(a | b) if a | b else 0.0 for a, b in combinations(kinds, 2)]
    return 1 - float(np.mean(alike)) if alike else 0.0


def calibration_error(probabilities: Sequence[float], hits: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error of stated chances: the mean gap to how often they came true, over equal-width bins.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    said, true = np.asarray(probabilities), np.asarray(hits, np.float64)
    place = np.minimum((said * bins).astype(int), bins - 1)
    gaps = [abs(said[place == one].mean() - true[place == one].mean()) * (place == one).mean() for one in set(place)]
    return float(sum(gaps))


def chance(size: int) -> Mapping[str, float]:
    """HR@10 and NDCG@10 of a random order of so many candidates with the hidden one among them."""
    gains = 1 / np.log2(1 + np.arange(1, min(K, size) + 1))
    return {"hr@10": min(K, size) / size, "ndcg@10": float(gains.sum()) / size}
