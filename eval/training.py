"""How fast an adapter trains, and what it gains that the frozen layers of a prompt run only once.

The prompts are of random tokens: how long they are is all that counts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch.nn import functional

from eval.method import SEED, Status
from genrec.learn.network import Network
from genrec.learn.shape import Shape

_LABELS = 10


def measure(model: Path, tokens: int, layers: Sequence[int], prompts: int, status: Status) -> list[dict[str, Any]]:
    """One row for each number of trained layers: seconds a prompt of the frozen ones, once, and of each pass after."""
    rows = []
    for count in layers:
        status(f"training the last {count} layers")
        network = Network(model, Shape(layers=count))
        draw = random.Random(SEED)
        asked = [[draw.randrange(1000, 20_000) for _ in range(tokens)] for _ in range(prompts)]
        start = perf_counter()
        frozen = [network.freeze(prompt) for prompt in asked]
        between = perf_counter()
        for prompt in frozen:
            scores = network([prompt], torch.arange(_LABELS))
            functional.cross_entropy(scores, torch.zeros(1, dtype=torch.long, device=scores.device)).backward()
        end = perf_counter()
        rows.append(
            {
                "trained layers": count,
                "frozen layers, once, s": round((between - start) / prompts, 3),
                "a pass, s": round((end - between) / prompts, 3),
                "tokens/s of a pass": round(prompts * tokens / (end - between), 1),
            }
        )
    return rows
