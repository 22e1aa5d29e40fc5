"""From scores to candidates: what was seen, what is too much alike, what is worth a try."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pyversity import Strategy, diversify

from retrieval.encoder import Vectors
from retrieval.index import Mask, Rows
from retrieval.lists import Values
from retrieval.types import Event


class Policy(BaseModel):
    """How candidates are chosen by their scores.

    `repeat_after_days`: an item comes again when the last event with it is that old; None never shows it again.
    `diversity`: 0 is the order of scores, 1 only avoids what is alike. `popularity_discount` is taken off the
    weight of popularity, which may become negative. `explore` places of the candidates go to items that few
    have taken, drawn with `seed`. What each costs and gives: `python -m eval retrieval`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat_after_days: float | None = Field(None, ge=0)
    diversity: float = Field(0.0, ge=0, le=1)
    popularity_discount: float = Field(0.0, ge=0, le=10)
    explore: int = Field(0, ge=0)
    seed: int = 0


def seen(history: Sequence[Event], repeat_after_days: float | None, now: datetime | None) -> set[str]:
    """The items that must not come again. An event without a time was just now."""
    if repeat_after_days is None or now is None:
        return {event.item_id for event in history}
    latest = now - timedelta(days=repeat_after_days)
    return {event.item_id for event in history if (event.timestamp or now) > latest}


def diverse(scores: Values, vectors: Vectors, k: int, diversity: float) -> list[int]:
    """Places of k items, chosen one after the other by maximal marginal relevance (Carbonell and Goldstein, 1998).

    Each is the best by (1 - diversity) · score - diversity · the highest cosine to what was chosen before;
    scores are brought to [0, 1] first.
    """
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    relevance = (scores - scores.min(initial=np.inf)) / spread if spread else np.ones(len(scores))
    chosen = diversify(vectors, relevance.astype(np.float32), k, Strategy.MMR, diversity)
    return [int(place) for place in chosen.indices]


def untried(allowed: Mask, counts: Values, n: int, seed: int) -> Rows:
    """n allowed items, drawn from the half that the fewest users took."""
    rows = np.flatnonzero(allowed)
    few = rows[counts[rows] <= np.median(counts[rows])] if len(rows) else rows
    drawn = random.Random(seed).sample(range(len(few)), min(n, len(few)))
    return few[drawn]
