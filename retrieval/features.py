"""A pool of items and what every signal makes of them, as numbers and as contributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.index import Mask, Rows
from retrieval.lists import Values
from retrieval.readings import Affinities, Reading
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


@dataclass(frozen=True)
class View:
    """How strongly each cue of each signal speaks for each item of a pool; `affinities` has one array a signal."""

    readings: NamedReadings
    rows: Rows
    affinities: Sequence[Affinities]

    def features(self) -> Features:
        """Each signal's affinities, added up over the weighted cues."""
        sums = [_weights(reading) @ found for (_, reading), found in zip(self.readings, self.affinities, strict=True)]
        names = [name for name, _ in self.readings]
        return Features(names, self.rows, np.array(sums).reshape(len(names), len(self.rows)))

    def contributions(self, weights: Values, places: Rows) -> list[tuple[Contribution, ...]]:
        """For each item in these places the parts of its score that are not 0, by signal and cue."""
        cues = [(name, cue.kind, cue.ref) for name, reading in self.readings for cue in reading.cues]
        values = np.concatenate(
            [
                weight * _weights(reading)[:, None] * found[:, places]
                for weight, (_, reading), found in zip(weights, self.readings, self.affinities, strict=True)
            ]
        ).T
        parts: list[list[Contribution]] = [[] for _ in places]
        items, speaking = np.nonzero(values)
        for item, cue, value in zip(items.tolist(), speaking.tolist(), values[items, speaking].tolist(), strict=True):
            signal, kind, ref = cues[cue]
            parts[item].append(Contribution(signal, kind, ref, value))
        return [tuple(part) for part in parts]


def view(readings: NamedReadings, rows: Rows) -> View:
    """Look at some items with the eyes of every signal."""
    return View(readings, rows, [reading.affinities(rows) for _, reading in readings])


def _weights(reading: Reading) -> Values:
    return np.array([cue.weight for cue in reading.cues], np.float64)
