"""A pool of items and what every signal makes of them, as numbers and as contributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.behaviour import Values
from retrieval.index import Mask, Rows
from retrieval.readings import Reading
from retrieval.types import Contribution

NamedReadings = Sequence[tuple[str, Reading]]
"""What each signal makes of a request, under the signal's name."""


@dataclass(frozen=True)
class Features:
    """`matrix`: what each signal makes of each item, not yet weighted, shape (signals, rows)."""

    signals: Sequence[str]
    rows: Rows
    matrix: npt.NDArray[np.float64]


def pool(readings: NamedReadings, size: int, allowed: Mask) -> Rows:
    """The allowed items that any signal puts forward, up to `size` of each; all of them where so few are allowed.

    Where signals have less to say the catalogue's own order fills the pool up to `size`.
    """
    rows = np.flatnonzero(allowed)
    if len(rows) <= size:
        return rows
    found = np.unique(np.concatenate([rows[:0], *(reading.nominate(size, allowed) for _, reading in readings)]))
    return found if len(found) >= size else np.union1d(found, rows[:size])


def measure(readings: NamedReadings, rows: Rows) -> Features:
    """Each signal's affinities, added up over the weighted cues."""
    sums = [_weights(reading) @ reading.affinities(rows) for _, reading in readings]
    return Features([name for name, _ in readings], rows, np.array(sums).reshape(len(readings), len(rows)))


def contributions(readings: NamedReadings, weights: Values, rows: Rows) -> list[tuple[Contribution, ...]]:
    """For each item the parts of its score that are not 0, by signal and cue."""
    found: list[list[Contribution]] = [[] for _ in rows]
    for (name, reading), weight in zip(readings, weights, strict=True):
        for cue, values in zip(reading.cues, reading.affinities(rows), strict=True):
            for parts, value in zip(found, (weight * cue.weight * values).tolist(), strict=True):
                if value:
                    parts.append(Contribution(signal=name, kind=cue.kind, ref=cue.ref, value=value))
    return [tuple(parts) for parts in found]


def _weights(reading: Reading) -> Values:
    return np.array([cue.weight for cue in reading.cues], np.float64)
