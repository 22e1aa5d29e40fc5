"""Training curves: files for TensorBoard, and Weights & Biases where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from genrec.errors import DataError

Point = Mapping[str, float]
"""Figures of one step by their names."""


class Curves:
    """`tensorboard --logdir FOLDER/curves` shows them. `wandb` sends them to Weights & Biases, project genrec, too."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int, *, wandb: bool) -> None:
        """`step`: where a run goes on; what a killed one had noted behind it is not shown.

        Raises DataError where `wandb` is asked for and is not installed.
        """
        self._writer = SummaryWriter(str(folder / "curves"), purge_step=step)
        self._run: Any = _wandb(folder, settings) if wandb else None

    def note(self, step: int, values: Point) -> None:
        """Add a point to each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
        if self._run:
            self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._writer.close()
        if self._run:
            self._run.finish()


def _wandb(folder: Path, settings: Mapping[str, Any]) -> Any:
    try:
        import wandb
    except ImportError as error:
        raise DataError("wandb is not installed: run pip install wandb, or leave --wandb out") from error
    return wandb.init(
        project="genrec",
        dir=str(folder),
        config=dict(settings),
        id=f"{folder.parent.name}-{folder.name}",
        resume="allow",
    )
