"""Where a run stands: everything that the next step depends on, so that a killed run ends as it would have."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genrec.learn.network import Network

_FILE = "checkpoint.pt"


@dataclass
class Standing:
    """`step` steps are done. `best` is the lowest cost in validation, `kept` the adapter that had it `at` a step."""

    step: int = 0
    best: float = float("inf")
    at: int = 0
    kept: dict[str, Tensor] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """How validation fared with what is kept."""
        return next(dict(point) for point in self.curve if point["step"] == self.at)


def save(folder: Path, standing: Standing, network: Network, optimizer: torch.optim.Optimizer) -> None:
    """Write the standing with the adapter, the optimizer and the state of chance; whole or not at all."""
    content = {
        "standing": asdict(standing),
        "adapter": dict(network.adapter),
        "optimizer": optimizer.state_dict(),
        "chance": torch.get_rng_state(),
        "chance_gpu": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    draft = folder / f"{_FILE}.draft"
    with draft.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _FILE)


def load(folder: Path, network: Network, optimizer: torch.optim.Optimizer) -> Standing | None:
    """Put adapter, optimizer and chance back where they were; None where nothing was saved yet."""
    path = folder / _FILE
    if not path.exists():
        return None
    content: dict[str, Any] = torch.load(path, map_location=network.device, weights_only=True)
    network.load(content["adapter"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["chance"].cpu())
    if content["chance_gpu"]:
        torch.cuda.set_rng_state_all([state.cpu() for state in content["chance_gpu"]])
    return Standing(**content["standing"])
