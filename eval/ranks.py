"""Does the model rank better than chance, and than its own retriever? One hidden item among nineteen others.

For each user the last event that speaks for its item is hidden, with all that came later; the candidates are
that item and nineteen that the user never met, drawn with a seed. NDCG@10 with one relevant item is
1 / log2(1 + rank), and 0 behind rank 10 (Järvelin and Kekäläinen, 2002).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from genrec import prompting, runner
from genrec.errors import DataError
from genrec.ranking import assign_labels, rank_by_labels
from genrec.recommender import DEFAULT_PACK, Recommender
from genrec.store import Store, folder_pack, read_folder
from retrieval import Candidate, Event, Query
from retrieval.cues import strength

_CANDIDATES = 20
_CUTOFF = 10
_SEED = 20261123
_FEWEST = 2
"""A standard error needs two."""


@dataclass(frozen=True)
class Case:
    """One user at one moment: the history before the hidden item, and the candidates with it among them."""

    user_id: str
    history: Sequence[Event]
    hidden: str
    candidates: Sequence[str]


def compare(data: Path, users: int, status: Callable[[str], None]) -> dict[str, Any]:
    """NDCG@10 (times 100) of chance, the retriever and the model on the same candidates."""
    store = read_folder(data)
    cases = list(_cases(store, users))
    if len(cases) < _FEWEST:
        raise DataError(
            f"{data}: {len(cases)} users have an item to hide and {_CANDIDATES - 1} that they never met: "
            f"this needs {_FEWEST} of them"
        )
    hidden = {case.user_id: len(case.history) for case in cases}
    # Nothing hidden may count in popularity.
    seen = [event for user in store.user_ids for event in store.history(user)[: hidden.get(user)]]
    known = Store(store.items, [store.user(user) for user in store.user_ids], seen)
    with Recommender.from_store(known, pack=folder_pack(data) or DEFAULT_PACK, status=status) as recommender:
        gains: dict[str, list[float]] = {"retriever": [], "model": []}
        for number, case in enumerate(cases):
            if number % 20 == 0:
                status(f"ranking for user {number} of {len(cases)}")
            found = _candidates(recommender, case)
            gains["retriever"].append(_gain(case.hidden, {c.item.item_id: c.score for c in found}))
            gains["model"].append(_gain(case.hidden, runner.run(_model_scores(recommender, case, found))))
        model = recommender.engine.model
    rows = [{"ranks": "chance", "NDCG@10": f"{100 * _chance():.1f}", "standard error": ""}]
    rows += [
        {"ranks": name, "NDCG@10": f"{100 * mean(g):.1f}", "standard error": f"{100 * stdev(g) / len(g) ** 0.5:.1f}"}
        for name, g in gains.items()
    ]
    return {"data": data.name, "model": model, "users": len(cases), "candidates": _CANDIDATES, "rows": rows}


def _cases(store: Store, users: int) -> Iterator[Case]:
    draw = random.Random(_SEED)
    for user_id in draw.sample(list(store.user_ids), len(store.user_ids)):
        history = store.history(user_id)
        liked = [place for place, event in enumerate(history) if strength(event) > 0]
        if not liked or liked[-1] == 0 or users == 0:
            continue
        hidden = history[liked[-1]].item_id
        met = {event.item_id for event in history}
        unmet = [item.item_id for item in store.items if item.item_id not in met]
        if len(unmet) < _CANDIDATES - 1:
            continue
        others = draw.sample(unmet, _CANDIDATES - 1)
        yield Case(user_id, history[: liked[-1]], hidden, draw.sample([hidden, *others], _CANDIDATES))
        users -= 1


def _candidates(recommender: Recommender, case: Case) -> list[Candidate]:
    query = Query(recommender.store.user(case.user_id), case.history)
    return recommender.retriever.score(query, case.candidates)


async def _model_scores(recommender: Recommender, case: Case, found: Sequence[Candidate]) -> dict[str, float]:
    labelled = assign_labels(found, _SEED)
    store, events = recommender.store, case.history[-recommender.config.history :]
    data = {
        "user": prompting.user_data(store.user(case.user_id)),
        "history": prompting.history_data(events, store.item, None),
        "context": {},
        "instruction": "",
        "candidates": [prompting.candidate_data(label, c.item) for label, c in labelled.items()],
        "n": 1,
    }
    messages = recommender.pack.render("rank", data)
    ranking = await rank_by_labels(recommender.engine, messages, list(labelled))
    return {labelled[label].item.item_id: score for label, score in ranking.scores.items()}


def _gain(hidden: str, scores: dict[str, float]) -> float:
    """Ties count against the hidden item."""
    rank = sum(score >= scores[hidden] for score in scores.values())
    return 1 / math.log2(1 + rank) if rank <= _CUTOFF else 0.0


def _chance() -> float:
    return sum(1 / math.log2(1 + rank) for rank in range(1, _CUTOFF + 1)) / _CANDIDATES
