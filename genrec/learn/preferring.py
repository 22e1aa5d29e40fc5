"""The last aim: what was taken over what stood in the same list, was seen, and was left.

Rafailov et al., Direct Preference Optimization: Your Language Model is Secretly a Reward Model, NeurIPS 2023. An answer
is one label, and the reference is the adapter as choosing has left it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from genrec.learn.choosing import look
from genrec.learn.curves import Point
from genrec.learn.examples import Example
from genrec.learn.plan import Schedule
from genrec.learn.scorer import Scorer


class Preferring:
    """The NDCG@10 of validation has to rise: else the adapter stays as it was."""

    def __init__(
        self, scorer: Scorer, paired: Sequence[Example], validation: Sequence[Example], schedule: Schedule
    ) -> None:
        """`paired`: examples with something in their lists that was left."""
        self._scorer, self._schedule = scorer, schedule
        self._training, self._validation = paired, schedule.watched(validation)
        self._reference = [
            torch.tensor(row, dtype=torch.float32, device=scorer.network.device)
            for row in scorer.scores([example.prompt for example in self._training])
        ]
        self.rate, self.steps = schedule.preference_rate, schedule.steps(len(self._training))

    def losses(self, step: int) -> Iterator[Tensor]:
        """The mean over lists of the mean over their pairs."""
        size = self._schedule.side_by_side
        numbers = self._schedule.drawn(len(self._training), self._schedule.batch, step)
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            logits = self._scorer.logits([self._training[number].prompt for number in some])
            parts = [self._loss(row, number) for row, number in zip(logits, some, strict=True)]
            yield torch.stack(parts).sum() / len(numbers)

    def look(self) -> tuple[float, Point]:
        """The NDCG@10 of validation, negative, for it has to fall; and the loss."""
        _, point = look(self._scorer, self._validation)
        return -point["validation ndcg@10"], point

    def _loss(self, logits: Tensor, number: int) -> Tensor:
        """Of the pairs of one list: -log σ(β (ahead - ahead of the reference)), where what labels share cancels out."""
        taken, left = list(self._training[number].taken), list(self._training[number].left)
        before = self._reference[number]
        ahead, was = (row[taken][:, None] - row[left] for row in (logits, before))
        found: Tensor = -functional.logsigmoid(self._schedule.beta * (ahead - was)).mean()
        return found
