"""What the model says about labels → a score for each item, fused with what retrieval says → one order."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from genrec.engine.base import Engine, Messages, Sampling, collect
from genrec.errors import AnswerError
from genrec.parse import ParsedList, parse_list
from genrec.types import Usage
from retrieval.types import Candidate

LABELS = string.ascii_uppercase
"""Single tokens in the usual vocabularies; digits are not. One window holds at most this many candidates."""
_RETRY_TEMPERATURE = 0.7

Window = Mapping[str, Candidate]
"""The candidates of one prompt, each behind its label."""


@dataclass(frozen=True)
class Scored:
    """A candidate with the score that its place in the answer comes from."""

    candidate: Candidate
    score: float


@dataclass(frozen=True)
class Ranking:
    """What the model said about items, and what had to be repaired to read it. All keys are item ids.

    `scores` holds a number for each item, higher is better; `logprobs` what the model said before anything was
    done to it, empty for a model that only named an order; `reasons` the sentences that came with labels.
    """

    scores: Mapping[str, float]
    logprobs: Mapping[str, float]
    reasons: Mapping[str, str]
    usage: Usage
    calls: int = 1
    invalid: int = 0
    repeated: int = 0
    truncated: bool = False
    retried: bool = False
    warnings: tuple[str, ...] = ()


async def rank_by_labels(
    engine: Engine,
    messages: Messages,
    window: Window,
    *,
    bias: Mapping[str, float] | None = None,
    cache_salt: str | None = None,
) -> Ranking:
    """Score every label from one prefill.

    Args:
        bias: natural log-probability of each label where the prompt says nothing about any item; it is taken
            off: contextual calibration (Zhao et al., Calibrate Before Use, ICML 2021) for one token.

    Raises:
        EngineError: the model did not answer. AnswerError: it answered with something that is no number.
    """
    found = await engine.score_labels(messages, list(window), cache_salt=cache_salt)
    if not all(math.isfinite(found.logprobs.get(label, math.nan)) for label in window):
        raise AnswerError(f"the model's label scores are not all finite numbers: {dict(found.logprobs)}")
    bounded = (f"{len(found.bounded)} of {len(window)} label scores are upper bounds",) if found.bounded else ()
    ids = {label: candidate.item.item_id for label, candidate in window.items()}
    return Ranking(
        scores={ids[label]: found.logprobs[label] - (bias[label] if bias else 0.0) for label in window},
        logprobs={ids[label]: found.logprobs[label] for label in window},
        reasons={},
        usage=found.usage,
        warnings=bounded,
    )


async def rank_by_list(
    engine: Engine, messages: Messages, window: Window, n: int, *, tokens_per_item: int, cache_salt: str | None = None
) -> Ranking:
    """Ask for one JSON list of the n best labels with a reason each; once more where nothing of it can be used.

    The second time the model is asked the same, at a temperature that makes it answer otherwise.

    Raises:
        EngineError: the model did not answer. AnswerError: nothing of either answer can be used.
    """
    first = Sampling(n * tokens_per_item, schema=list_schema(list(window), n), cache_salt=cache_salt)
    answer = await collect(engine.generate(messages, first))
    try:
        return _listed(parse_list(answer.text, window), window, answer.usage)
    except AnswerError:
        second = replace(first, temperature=_RETRY_TEMPERATURE, seed=first.seed + 1)
        again = await collect(engine.generate(messages, second))
        ranking = _listed(parse_list(again.text, window), window, answer.usage + again.usage)
        return replace(ranking, calls=2, retried=True)


def _listed(parsed: ParsedList, window: Window, usage: Usage) -> Ranking:
    ids = {label: candidate.item.item_id for label, candidate in window.items()}
    return Ranking(
        scores=place_scores([ids[entry.label] for entry in parsed.entries], list(ids.values())),
        logprobs={},
        reasons={ids[entry.label]: entry.reason for entry in parsed.entries},
        usage=usage,
        invalid=parsed.invalid,
        repeated=parsed.repeated,
        truncated=parsed.truncated,
    )


def list_schema(labels: Sequence[str], n: int) -> dict[str, Any]:
    """JSON schema of the answer: exactly n objects with a known label and a short reason."""
    entry = {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": list(labels)},
            "reason": {"type": "string", "maxLength": 160},
        },
        "required": ["label", "reason"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": entry, "minItems": n, "maxItems": n}


def assign_labels(candidates: Sequence[Candidate], seed: int, turn: float = 0.0) -> dict[str, Candidate]:
    """A label for each candidate, in an order shuffled by `seed`: the prompt must not tell the retriever's.

    `turn`, from 0 to 1, rotates that order by a share of its length: orders with evenly spread turns put each
    candidate near the top, in the middle and near the end.

    Raises ValueError for more candidates than labels.
    """
    if len(candidates) > len(LABELS):
        raise ValueError(f"{len(candidates)} candidates for {len(LABELS)} labels")
    shuffled = list(candidates)
    random.Random(seed).shuffle(shuffled)
    start = round(turn * len(shuffled))
    return dict(zip(LABELS, shuffled[start:] + shuffled[:start], strict=False))


def average(rankings: Sequence[Ranking]) -> Ranking:
    """The mean of what the model said about the same items in several orders."""
    first = rankings[0]
    return Ranking(
        scores={i: sum(r.scores[i] for r in rankings) / len(rankings) for i in first.scores},
        logprobs={i: sum(r.logprobs[i] for r in rankings) / len(rankings) for i in first.logprobs},
        reasons={},
        usage=sum((ranking.usage for ranking in rankings), Usage()),
        calls=sum(ranking.calls for ranking in rankings),
        warnings=tuple(dict.fromkeys(warning for ranking in rankings for warning in ranking.warnings)),
    )


def fuse(candidates: Sequence[Candidate], scores: Mapping[str, float], model_weight: float) -> list[Scored]:
    """Candidates by (1 - w) · z(retrieval score) + w · z(model score), best first; `scores` by item id.

    z is the standard score over the candidates, so that the two scales compare. With weight 0 the order is
    exactly the retriever's, and so is the score. Ties go to the retriever's order.
    """
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    if model_weight == 0:
        return [Scored(candidate, candidate.score) for candidate in ranked]
    retrieval = standard([candidate.score for candidate in ranked])
    model = standard([scores[candidate.item.item_id] for candidate in ranked])
    fused = (1 - model_weight) * retrieval + model_weight * model
    order = np.argsort(-fused, kind="stable")
    return [Scored(ranked[place], float(fused[place])) for place in order]


def place_scores(chosen: Sequence[str], everything: Sequence[str]) -> dict[str, float]:
    """Scores of a model that only named an order: 1/place, as in reciprocal rank fusion.

    What it did not name shares the place behind the last one (Cormack et al., SIGIR 2009, without its
    constant: one list is fused here, not many).
    """
    last = 1 / (len(chosen) + 1)
    places = {name: place for place, name in enumerate(chosen, start=1)}
    return {name: 1 / places[name] if name in places else last for name in everything}


def standard(values: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values less their mean, in standard deviations; zeros where all are the same."""
    array = np.asarray(values, dtype=float)
    spread = float(array.std())
    return (array - array.mean()) / spread if spread > 0 else np.zeros_like(array)
