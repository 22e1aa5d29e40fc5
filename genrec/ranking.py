"""What the model says about labels, fused with what retrieval says about items → one order."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrec.engine.base import Engine, Messages, Sampling, collect
from genrec.errors import AnswerError
from genrec.parse import parse_list
from genrec.types import Usage
from retrieval.types import Candidate

LABELS = string.ascii_uppercase
"""Single tokens in the usual vocabularies; digits are not. One window holds at most this many candidates."""


@dataclass(frozen=True)
class Scored:
    """A candidate with the score that its place in the answer comes from."""

    candidate: Candidate
    score: float


@dataclass(frozen=True)
class Ranking:
    """What the model said about the labelled candidates, and what had to be repaired to read it.

    `scores` holds a number for each label, higher is better; `reasons` the sentences that came with labels.
    """

    scores: Mapping[str, float]
    logprobs: Mapping[str, float]
    reasons: Mapping[str, str]
    usage: Usage
    invalid: int = 0
    repeated: int = 0
    truncated: bool = False
    warnings: tuple[str, ...] = ()


async def rank_by_labels(engine: Engine, messages: Messages, labels: Sequence[str]) -> Ranking:
    """Score every label from one prefill.

    Raises:
        EngineError: the model did not answer. AnswerError: it answered with something that is no number.
    """
    found = await engine.score_labels(messages, labels)
    if not all(math.isfinite(found.logprobs.get(label, math.nan)) for label in labels):
        raise AnswerError(f"the model's label scores are not all finite numbers: {dict(found.logprobs)}")
    bounded = (f"{len(found.bounded)} of {len(labels)} label scores are upper bounds",) if found.bounded else ()
    return Ranking(found.logprobs, found.logprobs, {}, found.usage, warnings=bounded)


async def rank_by_list(
    engine: Engine, messages: Messages, labels: Sequence[str], n: int, tokens_per_item: int
) -> Ranking:
    """Ask for one JSON list of the n best labels with a reason each.

    Raises:
        EngineError: the model did not answer. AnswerError: nothing of its answer can be used.
    """
    sampling = Sampling(max_tokens=n * tokens_per_item, schema=list_schema(labels, n))
    answer = await collect(engine.generate(messages, sampling))
    parsed = parse_list(answer.text, labels)
    return Ranking(
        scores=place_scores([entry.label for entry in parsed.entries], labels),
        logprobs={},
        reasons={entry.label: entry.reason for entry in parsed.entries},
        usage=answer.usage,
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


def assign_labels(candidates: Sequence[Candidate], seed: int) -> dict[str, Candidate]:
    """A label for each candidate, in an order shuffled by `seed`: the prompt must not tell the retriever's.

    Raises ValueError for more candidates than labels.
    """
    if len(candidates) > len(LABELS):
        raise ValueError(f"{len(candidates)} candidates for {len(LABELS)} labels")
    shuffled = list(candidates)
    random.Random(seed).shuffle(shuffled)
    return dict(zip(LABELS, shuffled, strict=False))


def fuse(labelled: Mapping[str, Candidate], scores: Mapping[str, float], model_weight: float) -> list[Scored]:
    """Candidates by (1 - w) · z(retrieval score) + w · z(model score), best first.

    z is the standard score over the candidates, so that the two scales compare. With weight 0 the order is
    exactly the retriever's, and so is the score. Ties go to the retriever's order.
    """
    labels = sorted(labelled, key=lambda label: -labelled[label].score)
    if model_weight == 0:
        return [Scored(labelled[label], labelled[label].score) for label in labels]
    retrieval = _standard([labelled[label].score for label in labels])
    model = _standard([scores[label] for label in labels])
    fused = (1 - model_weight) * retrieval + model_weight * model
    order = np.argsort(-fused, kind="stable")
    return [Scored(labelled[labels[place]], float(fused[place])) for place in order]


def place_scores(chosen: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """Scores of a model that only named an order: 1/place, as in reciprocal rank fusion.

    Labels it did not name share the place behind the last one (Cormack et al., SIGIR 2009, without its
    constant: one list is fused here, not many).
    """
    last = 1 / (len(chosen) + 1)
    return {label: 1 / (chosen.index(label) + 1) if label in chosen else last for label in labels}


def _standard(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    spread = float(array.std())
    return (array - array.mean()) / spread if spread > 0 else np.zeros_like(array)
