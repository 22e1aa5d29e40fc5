"""What runs of training that are compared share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from genrec.learn.examples import Example, Sampling
from genrec.learn.loading import Model
from genrec.learn.plan import Plan, Schedule
from genrec.learn.reading import readings
from genrec.learn.scorer import Scorer
from genrec.learn.shape import Shape
from genrec.prompting import Pack
from retrieval import Item


@dataclass(frozen=True)
class Setting:
    """`folder`: for what frozen layers make of prompts, and for runs, which go on after a kill."""

    model: Model
    sampling: Sampling
    shape: Shape
    schedule: Schedule
    pack: Pack
    folder: Path

    def readings(self, items: Sequence[Item]) -> Sequence[Example]:
        """What is read before anything is chosen."""
        return readings(items, self.pack, self.sampling)

    def scorer(self, seed: int) -> Scorer:
        """The base model with an adapter that changes nothing yet, and begins with this seed."""
        return Scorer(self.model.folder, self.shape, self.folder / "frozen", seed)

    def begin(self, examples: str, seed: int) -> tuple[Plan, Path]:
        """What is going to be done with examples, by what tells them from others, and the folder of the run."""
        plan = Plan(
            model=self.model.base.name,
            base=self.model.base.sha256,
            prompts=(),
            examples=examples,
            threads=torch.get_num_threads(),
            sampling=self.sampling,
            shape=self.shape,
            schedule=self.schedule.model_copy(update={"seed": seed}),
        )
        return plan, plan.begin(self.folder / "runs")
