"""Training, from top to bottom: what the frozen layers say, once; then steps on the others, until validation is best.

The loss is the cross-entropy over the labels behind the prompt: what ranking reads.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from genrec.errors import ModelError
from genrec.learn import checkpoint
from genrec.learn.checkpoint import Standing
from genrec.learn.curves import Curves
from genrec.learn.examples import Example, Examples
from genrec.learn.figures import ndcg
from genrec.learn.plan import Plan, Schedule
from genrec.learn.scorer import Scorer
from genrec.parts import Status

_SAVE_S = 20
"""Seconds of work that a kill may cost."""


def train(
    run: Path, scorer: Scorer, examples: Examples, plan: Plan, *, status: Status = lambda _: None, wandb: bool = False
) -> Standing:
    """Leave the best adapter in the network of `scorer`. A run that was killed goes on, and ends as it would have.

    `run`: the folder in which the plan was begun.

    Raises:
        DataError: `wandb` is asked for and is not installed.
        ModelError: the loss is not finite any more.
    """
    schedule, network = plan.schedule, scorer.network
    _freeze(scorer, (*examples.training, *examples.validation), status)
    parameters = list(network.adapter.values())
    optimizer = torch.optim.AdamW(parameters, schedule.rate, weight_decay=schedule.weight_decay)
    standing = checkpoint.load(run, network, optimizer) or Standing()
    curves = Curves(run, plan.model_dump(mode="json"), standing.step, wandb=wandb)
    steps = schedule.epochs * math.ceil(len(examples.training) / schedule.batch)
    if not standing.curve:
        _look(scorer, examples.validation, standing, curves)
    saved = monotonic()
    while standing.step < steps and standing.step - standing.at < schedule.patience * schedule.look:
        status(_said(standing, steps))
        network.train()
        batch, loss = _batch(examples.training, schedule, standing.step), 0.0
        for start in range(0, len(batch), schedule.side_by_side):
            part = _loss(scorer, batch[start : start + schedule.side_by_side]) / len(batch)
            part.backward()
            loss += part.item()
        if not math.isfinite(loss):
            raise ModelError(f"training diverged at step {standing.step}: its loss is {loss}; take a lower rate")
        torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate * _share(standing.step, steps, schedule.warm_up)
        optimizer.step()
        optimizer.zero_grad()
        standing.step += 1
        curves.note(standing.step, {"training loss": loss})
        looked = standing.step % schedule.look == 0 or standing.step == steps
        if looked:
            _look(scorer, examples.validation, standing, curves)
        if looked or monotonic() - saved > _SAVE_S:
            checkpoint.save(run, standing, network, optimizer)
            saved = monotonic()
    curves.close()
    network.load(standing.kept)
    return standing


def _freeze(scorer: Scorer, examples: Sequence[Example], status: Status) -> None:
    for number, example in enumerate(examples):
        if number % 20 == 0:
            status(f"running the frozen layers: {number} of {len(examples)} prompts")
        scorer.freeze(example.prompt)


def _loss(scorer: Scorer, examples: Sequence[Example]) -> Tensor:
    """The sum over examples of the cross-entropy over their labels, in nats."""
    taken = torch.tensor([example.taken for example in examples], device=scorer.network.device)
    found: Tensor = functional.cross_entropy(
        scorer.logits([example.prompt for example in examples]), taken, reduction="sum"
    )
    return found


def _look(scorer: Scorer, validation: Sequence[Example], standing: Standing, curves: Curves) -> None:
    """Note how validation fares, and keep the adapter where it never fared better."""
    scores = scorer.scores([example.prompt for example in validation])
    losses = [-row[example.taken] for row, example in zip(scores, validation, strict=True)]
    if not np.isfinite(losses).all():
        raise ModelError(f"training diverged before step {standing.step}: take a lower rate")
    gains = [ndcg(row, example.taken) for row, example in zip(scores, validation, strict=True)]
    point = {"validation loss": float(np.mean(losses)), "validation ndcg@10": float(np.mean(gains))}
    curves.note(standing.step, point)
    standing.curve.append({"step": standing.step, **point})
    if point["validation loss"] < standing.best:
        standing.best, standing.at = point["validation loss"], standing.step
        standing.kept = {name: tensor.detach().clone() for name, tensor in scorer.network.adapter.items()}


def _batch(training: Sequence[Example], schedule: Schedule, step: int) -> list[Example]:
    """The examples of a step: every epoch has an order of its own."""
    epoch, place = divmod(step, math.ceil(len(training) / schedule.batch))
    order = random.Random(f"{schedule.seed} {epoch}").sample(range(len(training)), len(training))
    return [training[number] for number in order[place * schedule.batch : (place + 1) * schedule.batch]]


def _share(step: int, steps: int, warm_up: int) -> float:
    """Of the rate: a line up over the first steps, then a cosine down (Loshchilov and Hutter, SGDR, ICLR 2017)."""
    if step < warm_up:
        return (step + 1) / warm_up
    return (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))) / 2


def _said(standing: Standing, steps: int) -> str:
    now = standing.curve[-1]
    return (
        f"training: step {standing.step} of at most {steps}, validation loss {now['validation loss']:.4f} "
        f"(best {standing.best:.4f}), NDCG@10 {now['validation ndcg@10']:.4f}"
    )
