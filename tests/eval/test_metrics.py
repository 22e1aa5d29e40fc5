"""The figures are those of their definitions: trec_eval's beside scikit-learn's, and small cases by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score

from eval.method import Catalogue, Ranked
from eval.metrics import calibration_error, chance, gini, of_lists, per_user
from eval.protocols import leave_one_out
from tests.eval.worlds import chains, sequences

_ITEMS = 40


def _drawn(users: int) -> tuple[list[Ranked], list[set[str]], np.ndarray, np.ndarray]:
    """Lists and hidden items, and the same as matrices: relevance and scores."""
    draw = random.Random(1)
    ranked, relevant = [], []
    truth, scores = np.zeros((users, _ITEMS)), np.zeros((users, _ITEMS))
    for user in range(users):
        order, hidden = draw.sample(range(_ITEMS), _ITEMS), draw.randrange(_ITEMS)
        ranked.append(Ranked([f"i{item}" for item in order]))
        relevant.append({f"i{hidden}"})
        truth[user, hidden] = 1
        scores[user, order] = np.arange(_ITEMS, 0, -1)
    return ranked, relevant, truth, scores


def test_figures_are_those_of_scikit_learn() -> None:
    ranked, relevant, truth, scores = _drawn(200)
    ours = {name: values.mean() for name, values in per_user(ranked, relevant).items()}
    hidden, every = truth.argmax(axis=1), np.arange(_ITEMS)
    for k in (5, 10):
        assert ours[f"ndcg@{k}"] == pytest.approx(ndcg_score(truth, scores, k=k))
    for k in (1, 5, 10):
        assert ours[f"hr@{k}"] == pytest.approx(top_k_accuracy_score(hidden, scores, k=k, labels=every))
    assert ours["recall@20"] == pytest.approx(top_k_accuracy_score(hidden, scores, k=20, labels=every))
    assert ours["mrr"] == pytest.approx(label_ranking_average_precision_score(truth, scores))


def test_several_hidden_items_count_as_scikit_learn_counts_them() -> None:
    ranked, _, truth, scores = _drawn(50)
    truth[:, :7] = 1
    relevant = [{f"i{item}" for item in np.flatnonzero(row)} for row in truth]
    assert per_user(ranked, relevant)["ndcg@10"].mean() == pytest.approx(ndcg_score(truth, scores, k=10))


def test_nothing_ranked_counts_nothing() -> None:
    found = per_user([Ranked(()), Ranked(["i1"]), Ranked(["i2", "i1"])], [{"i1"}] * 3)
    assert found["hr@1"].tolist() == [0, 1, 0]
    assert found["hr@5"].tolist() == [0, 1, 1]
    assert found["mrr"].tolist() == [0, 1, 0.5]


def test_what_lists_show_of_a_catalogue() -> None:
    catalogue = Catalogue(leave_one_out(chains()).training, sequences([0, 1], [0, 1], [0, 2], [0], size=60).events)
    found = of_lists([Ranked(["i0", "i4"]), Ranked(["i0", "i8"]), Ranked(())], catalogue)
    assert found["coverage@10"] == pytest.approx(3 / 60)
    # i0 was taken by all four, the others by nobody, which counts as by one.
    assert found["novelty@10"] == pytest.approx(-(2 * np.log2(4 / 4) + 2 * np.log2(1 / 4)) / 4)
    assert found["popularity@10"] == pytest.approx((4 + 0 + 4 + 0) / 4 / ((4 * 4 + 2 * 2 + 1) / 7))
    assert found["diversity@10"] == 0  # 0, 4 and 8 are of one kind
    assert of_lists([Ranked(["i0", "i1"])], catalogue)["diversity@10"] == 1


def test_gini() -> None:
    assert gini(np.array([3, 3, 3])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    assert gini(np.array([0, 0])) == 0


def test_calibration_error() -> None:
    assert calibration_error([0.5, 0.5], [True, False]) == 0
    assert calibration_error([1.0, 1.0, 0.0], [False, False, False]) == pytest.approx(2 / 3)


def test_chance() -> None:
    assert chance(20)["hr@10"] == 0.5
    assert chance(1)["ndcg@10"] == 1
