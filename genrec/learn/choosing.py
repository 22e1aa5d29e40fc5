"""The aim of most of training: to choose what was taken, by the cross-entropy over labels that ranking reads; and to
write reasons that pass the check, by the cross-entropy over the tokens behind the prompt that asks for one.

Of several that were taken each is as right as the other (Cao et al., Learning to Rank: From Pairwise Approach to
Listwise Approach, ICML 2007, with what was taken as the true scores).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from genrec.errors import ModelError
from genrec.learn.curves import Point
from genrec.learn.examples import Example, Examples, Prompt
from genrec.learn.plan import Schedule
from genrec.learn.scorer import Scorer
from genrec.learn.sentences import Sentence
from genrec.parts import Status
from genrec.weighing import ndcg

_ONE_IN = 5
"""So many reasons to one that is looked at and not learned from; of fewer than ten all are learned from."""


class Choosing:
    """The loss over labels of validation has to fall; with reasons, the sum of it and the loss over some of these."""

    def __init__(
        self, scorer: Scorer, examples: Examples, sentences: Sequence[Sentence], schedule: Schedule, status: Status
    ) -> None:
        """Runs the frozen layers, once."""
        self._scorer, self._schedule = scorer, schedule
        self._training, self._validation = examples.training, schedule.watched(examples.validation)
        self._watched = sentences[::_ONE_IN] if len(sentences) >= 2 * _ONE_IN else ()
        self._sentences = [one for n, one in enumerate(sentences) if n % _ONE_IN or not self._watched]
        self.rate, self.steps = schedule.rate, schedule.steps(len(examples.training))
        prompts: list[Prompt | Sentence] = [example.prompt for example in (*self._training, *self._validation)]
        prompts += sentences
        for number, prompt in enumerate(prompts):
            if number % 20 == 0:
                status(f"running the frozen layers: {number} of {len(prompts)} prompts")
            scorer.freeze(prompt)

    def losses(self, step: int) -> Iterator[Tensor]:
        """The mean over examples, and the mean over some sentences with its weight."""
        schedule, size = self._schedule, self._schedule.side_by_side
        numbers = schedule.drawn(len(self._training), schedule.batch, step)
        for start in range(0, len(numbers), size):
            some = [self._training[number] for number in numbers[start : start + size]]
            yield self._over_labels(some) / len(numbers)
        if self._sentences:
            numbers = schedule.drawn(len(self._sentences), schedule.sentences, step)
            for start in range(0, len(numbers), size):
                told = [self._sentences[number] for number in numbers[start : start + size]]
                yield schedule.reason_weight * self._scorer.losses(told).sum() / len(numbers)

    def look(self) -> tuple[float, Point]:
        """The loss over labels of validation, and how high what was taken stands; and the loss over reasons."""
        loss, point = look(self._scorer, self._validation)
        if not self._watched:
            return loss, point
        with torch.no_grad():
            told = float(np.mean([self._scorer.losses([sentence]).item() for sentence in self._watched]))
        return loss + self._schedule.reason_weight * told, {**point, "validation reasons loss": told}

    def _over_labels(self, examples: Sequence[Example]) -> Tensor:
        """The sum over examples of the cross-entropy over their labels, in nats."""
        logits = self._scorer.logits([example.prompt for example in examples])
        rows = zip(functional.log_softmax(logits, dim=1), examples, strict=True)
        return -torch.stack([row[list(example.taken)].mean() for row, example in rows]).sum()


def look(scorer: Scorer, validation: Sequence[Example]) -> tuple[float, Point]:
    """The mean loss over labels, in nats, and that with the mean NDCG@10. Raises ModelError where it is not finite."""
    scores = scorer.scores([example.prompt for example in validation])
    loss = float(np.mean([-row[list(example.taken)].mean() for row, example in zip(scores, validation, strict=True)]))
    if not math.isfinite(loss):
        raise ModelError("training diverged before this look at validation: take a lower rate")
    gains = [ndcg(row, example.taken, example.sought) for row, example in zip(scores, validation, strict=True)]
    return loss, {"validation loss": loss, "validation ndcg@10": float(np.mean(gains))}
