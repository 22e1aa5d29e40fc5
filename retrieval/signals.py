"""The named parts of a retrieval score. Each says what it adds to an item's score, and because of what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.encoder import Vectors
from retrieval.types import Contribution, ContributionKind, Event

EVENT_WEIGHTS = {
    "view": 0.4,
    "click": 0.5,
    "play": 0.6,
    "favorite": 1.0,
    "cart": 0.9,
    "purchase": 1.0,
    "rate": 1.0,
    "dismiss": -0.6,
}
"""How much an event of each type says about taste; another word counts as `OTHER_EVENT_WEIGHT`."""
OTHER_EVENT_WEIGHT = 0.5


@dataclass(frozen=True)
class Weights:
    """How the parts are mixed. Events sum to 1 in absolute value, so the others are relative to them."""

    attributes: float = 0.2
    context: float = 0.1
    instruction: float = 1.0
    popularity: float = 0.1
    step_decay: float = 0.85
    half_life_days: float = 90.0


@dataclass(frozen=True)
class Part:
    """One thing that speaks for or against items: its weight and its unit vector, shape (d,)."""

    kind: ContributionKind
    ref: str
    weight: float
    vector: npt.NDArray[np.float32]


def strength(event: Event) -> float:
    """What an event says about taste, in [-1, 1]. Ratings on a 1 to 5 scale: 3 says nothing, 1 is a no."""
    if event.type == "rate" and event.value is not None:
        return max(-1.0, min(1.0, (event.value - 2.5) / 2.5))
    return EVENT_WEIGHTS.get(event.type, OTHER_EVENT_WEIGHT)


def event_weights(history: Sequence[Event], weights: Weights) -> list[float]:
    """Strength × recency of each event, scaled so that absolute values sum to 1 (all 0 if nothing counts).

    Recency is `step_decay` per step back in the history times a half-life in days before the newest event;
    an event without a timestamp has the former only.
    """
    times = [event.timestamp for event in history if event.timestamp]
    newest = max(times, default=None)
    raw = []
    for steps_back, event in enumerate(reversed(history)):
        recency = weights.step_decay**steps_back
        if event.timestamp and newest:
            days = (newest - event.timestamp).total_seconds() / 86_400
            recency *= 0.5 ** (days / weights.half_life_days)
        raw.append(strength(event) * recency)
    total = sum(map(abs, raw))
    return [weight / total for weight in reversed(raw)] if total else [0.0] * len(history)


def user_vector(parts: Sequence[Part]) -> npt.NDArray[np.float32]:
    """The weighted sum of the parts, as a unit vector, shape (d,). Raises ValueError without parts."""
    if not parts:
        raise ValueError("a user vector needs at least one part")
    total = np.sum([part.weight * part.vector for part in parts], axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-9), dtype=np.float32)


def semantic(parts: Sequence[Part], items: Vectors) -> list[list[Contribution]]:
    """Cosine between the user vector and each item, split into what each part adds; items: (n, d).

    cos(u, i) = Σ_p w_p (v_p · i) / ‖Σ_p w_p v_p‖, so the parts sum to the cosine.
    """
    if not parts:
        return [[] for _ in items]
    matrix = np.stack([part.vector for part in parts])
    weights = np.array([part.weight for part in parts])
    norm = max(float(np.linalg.norm(weights @ matrix)), 1e-9)
    shares = (items @ matrix.T) * weights / norm
    return [
        [
            Contribution(signal="semantic", kind=part.kind, ref=part.ref, value=float(value))
            for part, value in zip(parts, row, strict=True)
            if part.weight
        ]
        for row in shares
    ]


class Popularity:
    """log(1 + users who took the item) / log(1 + the most of any item): in [0, 1].

    A user counts once per item, and only for an event that speaks for it (`strength` > 0).
    """

    def __init__(self, events: Iterable[Event]) -> None:
        taken = {(event.user_id, event.item_id) for event in events if strength(event) > 0}
        self.users = Counter(item_id for _, item_id in taken)
        self._scale = math.log1p(max(self.users.values(), default=1))

    def of(self, item_id: str) -> float:
        """The item's popularity; 0 for one that nobody took."""
        return math.log1p(self.users[item_id]) / self._scale

    def top(self, k: int, exclude: set[str]) -> list[str]:
        """The k most taken items without `exclude`, ties by id."""
        ranked = sorted(self.users, key=lambda item_id: (-self.users[item_id], item_id))
        return [item_id for item_id in ranked if item_id not in exclude][:k]
