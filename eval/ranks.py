"""Does the model rank better than chance, and than its own retriever? One hidden item among nineteen others.

For each user the last event that speaks for its item is hidden, with all that came later; the candidates are
that item and nineteen that the user never met, drawn with a seed. NDCG@10 with one relevant item is
1 / log2(1 + rank), and 0 behind rank 10 (Järvelin and Kekäläinen, 2002).

The model sees each list in four orders, rotations of one shuffle; what is said about fewer orders, calibration and
position comes from the same answers. The weight of the model is fitted on half of the users, reported on the others.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from eval import asking
from genrec import prompting, runner
from genrec.calibration import Calibration
from genrec.engine import DEFAULT_ENCODER, Engine
from genrec.errors import DataError
from genrec.ranking import LABELS, Window, assign_labels, average, rank_by_labels
from genrec.recommender import DEFAULT_PACK, Recommender
from genrec.store import Store, folder_pack, read_folder
from genrec.weighing import FEWEST_CASES, Judged, fit_weight, gain
from retrieval import Encoder, Event, Query
from retrieval.cues import strength
from retrieval.lists import Values

_CANDIDATES = 20
_CUTOFF = 10
_HIT = 5
_ORDERS = 4
_SIDE_BY_SIDE = 8
_SEED = 20261123
_FEWEST = 2
"""A standard error needs two."""

Scores = Mapping[str, float]
"""By item id, higher is better."""


@dataclass(frozen=True)
class Case:
    """One user at one moment: the history before the hidden item, and the candidates with it among them."""

    user_id: str
    history: Sequence[Event]
    hidden: str
    candidates: Sequence[str]


@dataclass(frozen=True)
class Answered:
    """What each way makes of one case, and the place of each item in the first order, from 0."""

    case: Case
    scores: Mapping[str, Scores]
    places: Mapping[str, int]


def compare(
    data: Path,
    users: int,
    status: Callable[[str], None],
    *,
    others: bool = False,
    engine: Engine | None = None,
    encoder: str | Encoder = DEFAULT_ENCODER,
) -> dict[str, Any]:
    """NDCG@10 (times 100) of chance, the retriever and the model on the same candidates; position bias; the weight.

    `others` asks the model also item by item and pair by pair, which takes a hundred calls a user.
    """
    store = read_folder(data)
    if store.people:
        raise DataError(f"{data}: items are people, whose friendships have two sides: use python -m eval rank")
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
    pack = folder_pack(data) or DEFAULT_PACK
    with Recommender.from_store(known, pack=pack, engine=engine, encoder=encoder, status=status) as recommender:
        answered = runner.run(_ask_all(recommender, cases, status, others=others))
        model = recommender.engine.model
    return {
        "data": data.name,
        "protocol": "one liked item hidden",
        "model": model,
        "users": len(cases),
        "items": len(store.items),
        "candidates": _CANDIDATES,
        "rows": _quality(answered),
        "bias": _bias(answered),
        "weight": _weight(answered),
    }


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


async def _ask_all(
    recommender: Recommender, cases: Sequence[Case], status: Callable[[str], None], *, others: bool
) -> list[Answered]:
    bias, _ = await Calibration(recommender.engine, recommender.pack).bias(LABELS[:_CANDIDATES], "en")
    answered: list[Answered] = []
    for start in range(0, len(cases), _SIDE_BY_SIDE):
        status(f"ranking for user {start} of {len(cases)}")
        some = cases[start : start + _SIDE_BY_SIDE]
        answered += await asyncio.gather(*(_ask(recommender, case, bias, others=others) for case in some))
    return answered


async def _ask(recommender: Recommender, case: Case, bias: Mapping[str, float], *, others: bool) -> Answered:
    query = Query(recommender.store.user(case.user_id), case.history)
    found = await asyncio.to_thread(recommender.retriever.score, query, case.candidates)
    windows = [assign_labels(found, _SEED, turn / _ORDERS) for turn in range(_ORDERS)]
    engine = recommender.engine
    orders = [await rank_by_labels(engine, _messages(recommender, case, w), w) for w in windows]
    off = {id(w): {c.item.item_id: bias[label] for label, c in w.items()} for w in windows}
    calibrated = [{i: r.scores[i] - off[id(w)][i] for i in r.scores} for r, w in zip(orders, windows, strict=True)]
    scores: dict[str, Scores] = {
        "retriever": {candidate.item.item_id: candidate.score for candidate in found},
        "model, 1 order": orders[0].scores,
        "calibrated, 1 order": calibrated[0],
        "model, 2 orders": average([orders[0], orders[_ORDERS // 2]]).scores,
        "model, 4 orders": average(orders).scores,
        "calibrated, 4 orders": {i: mean(one[i] for one in calibrated) for i in calibrated[0]},
    }
    if others:
        said = _person(recommender, case)
        scores["item by item"] = await asking.item_by_item(engine, said, found)
        scores["pair by pair"] = await asking.pair_by_pair(engine, said, found)
    places = {candidate.item.item_id: place for place, candidate in enumerate(windows[0].values())}
    return Answered(case, scores, places)


def _messages(recommender: Recommender, case: Case, window: Window) -> prompting.Messages:
    store, events = recommender.store, case.history[-recommender.config.history :]
    data = {
        "user": prompting.user_data(store.user(case.user_id)),
        "history": prompting.history_data(events, store.item, None),
        "context": {},
        "instruction": "",
        "candidates": [prompting.candidate_data(label, c.item) for label, c in window.items()],
        "n": 1,
    }
    return recommender.pack.render("rank", data)


def _person(recommender: Recommender, case: Case) -> str:
    """What the prompt says of the user, without candidates."""
    return _messages(recommender, case, {})[-1]["content"].partition("\n\n")[0]


def _quality(answered: Sequence[Answered]) -> list[dict[str, str]]:
    rows = [{"ranks": "chance", "NDCG@10": f"{100 * _chance():.1f}", "standard error": ""}]
    for way in answered[0].scores:
        gains = [_gain(one.case.hidden, one.scores[way]) for one in answered]
        error = stdev(gains) / math.sqrt(len(gains))
        rows.append({"ranks": way, "NDCG@10": f"{100 * mean(gains):.1f}", "standard error": f"{100 * error:.1f}"})
    return rows


def _bias(answered: Sequence[Answered]) -> dict[str, Any]:
    """Mean rank, and share among the first five, of the item at each place of the first order; and their range."""
    ways = [way for way in answered[0].scores if way.startswith(("model", "calibrated"))]
    ranks = {way: np.array([_ranks_by_place(one, way) for one in answered]) for way in ways}
    curve = [
        {"place": LABELS[place]}
        | {
            f"{way}: {name}": f"{value:{form}}"
            for way in ways
            for name, value, form in (
                ("rank", ranks[way][:, place].mean(), ".1f"),
                ("hits", (ranks[way][:, place] <= _HIT).mean(), ".2f"),
            )
        }
        for place in range(_CANDIDATES)
    ]
    spread = [
        {
            "ranks": way,
            "mean rank, lowest": f"{table.mean(axis=0).min():.1f}",
            "highest": f"{table.mean(axis=0).max():.1f}",
            "standard deviation": f"{table.mean(axis=0).std():.2f}",
            "among the first five, lowest": f"{(table <= _HIT).mean(axis=0).min():.2f}",
            "highest ": f"{(table <= _HIT).mean(axis=0).max():.2f}",
        }
        for way, table in ranks.items()
    ]
    return {"curve": curve, "spread": spread, "expected_sd": round(_expected_sd(len(answered)), 2)}


def _ranks_by_place(one: Answered, way: str) -> list[int]:
    order = sorted(one.scores[way], key=lambda item_id: -one.scores[way][item_id])
    rank = {item_id: place for place, item_id in enumerate(order, start=1)}
    return [rank[item_id] for item_id in sorted(one.places, key=lambda item_id: one.places[item_id])]


def _expected_sd(users: int) -> float:
    """Of the mean rank at a place where places do not matter: uniform ranks, so sqrt((n² - 1) / 12 / users)."""
    return math.sqrt((_CANDIDATES**2 - 1) / 12 / users)


def _weight(answered: Sequence[Answered]) -> dict[str, Any] | str:
    """Fitted on every second user, reported on the others."""
    judged = [_judged(one) for one in answered]
    fitted_on, reported_on = judged[::2], judged[1::2]
    if len(fitted_on) < FEWEST_CASES:
        return f"not fitted: {len(fitted_on)} users, {FEWEST_CASES} are needed"
    found = fit_weight(fitted_on)
    return {
        **{name: round(value, 4) for name, value in found.model_dump().items()},
        "others_retriever": round(mean(gain(case, 0.0) for case in reported_on), 4),
        "others_fitted_weight": round(mean(gain(case, found.weight) for case in reported_on), 4),
        "others_best_weight": round(mean(gain(case, found.best) for case in reported_on), 4),
    }


def _judged(one: Answered) -> Judged:
    ids = list(one.places)
    return Judged(
        _standard([one.scores["retriever"][i] for i in ids]),
        _standard([one.scores["calibrated, 4 orders"][i] for i in ids]),
        [ids.index(one.case.hidden)],
    )


def _standard(values: Sequence[float]) -> Values:
    array = np.array(values, np.float64)
    standard: Values = (array - array.mean()) / (float(array.std()) or 1.0)
    return standard


def _gain(hidden: str, scores: Scores) -> float:
    """Ties count against the hidden item."""
    rank = sum(score >= scores[hidden] for score in scores.values())
    return 1 / math.log2(1 + rank) if rank <= _CUTOFF else 0.0


def _chance() -> float:
    return sum(1 / math.log2(1 + rank) for rank in range(1, _CUTOFF + 1)) / _CANDIDATES
