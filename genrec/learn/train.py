"""Training, from top to bottom: steps towards an aim, until validation is best. A run that was killed goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Protocol

import torch
from torch import Tensor

from genrec.errors import ModelError
from genrec.learn import checkpoint
from genrec.learn.checkpoint import Standing
from genrec.learn.curves import Curves, Point
from genrec.learn.network import Network
from genrec.learn.plan import Plan
from genrec.parts import Status

_SAVE_S = 20
"""Seconds of work that a kill may cost."""


class Aim(Protocol):
    """What is trained for, in how many `steps` at most, at which highest `rate`."""

    rate: float
    steps: int

    def losses(self, step: int) -> Iterator[Tensor]:
        """The parts of a step's loss, one after the other: memory holds what one of them needs."""

    def look(self) -> tuple[float, Point]:
        """How validation fares: what has to fall, and what is noted. Raises ModelError where it is not finite."""


def train(
    folder: Path, network: Network, aim: Aim, plan: Plan, *, status: Status = lambda _: None, wandb: bool = False
) -> Standing:
    """Leave the best adapter in the network. A run that was killed goes on, and ends as it would have.

    `folder`: for what the run leaves, its own.

    Raises:
        DataError: `wandb` is asked for and is not installed.
        ModelError: the loss is not finite any more.
    """
    schedule, parameters = plan.schedule, list(network.adapter.values())
    optimizer = torch.optim.AdamW(parameters, aim.rate, weight_decay=schedule.weight_decay)
    standing = checkpoint.load(folder, network, optimizer) or Standing()
    curves = Curves(folder, plan.model_dump(mode="json"), standing.step, wandb=wandb)
    if not standing.curve:
        _look(aim, network, standing, curves)
    saved = monotonic()
    while standing.step < aim.steps and standing.step - standing.at < schedule.patience * schedule.look:
        status(f"training: step {standing.step} of at most {aim.steps}, {_said(standing)}")
        network.train()
        loss = 0.0
        for part in aim.losses(standing.step):
            part.backward()
            loss += part.item()
        if not math.isfinite(loss):
            raise ModelError(f"training diverged at step {standing.step}: its loss is {loss}; take a lower rate")
        torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
        for group in optimizer.param_groups:
            group["lr"] = aim.rate * _share(standing.step, aim.steps, schedule.warm_up)
        optimizer.step()
        optimizer.zero_grad()
        standing.step += 1
        curves.note(standing.step, {"training loss": loss})
        looked = standing.step % schedule.look == 0 or standing.step == aim.steps
        if looked:
            _look(aim, network, standing, curves)
        if looked or monotonic() - saved > _SAVE_S:
            checkpoint.save(folder, standing, network, optimizer)
            saved = monotonic()
    curves.close()
    network.load(standing.kept)
    return standing


def _look(aim: Aim, network: Network, standing: Standing, curves: Curves) -> None:
    """Note how validation fares, and keep the adapter where it never fared better."""
    cost, point = aim.look()
    curves.note(standing.step, point)
    standing.curve.append({"step": standing.step, **point})
    if cost < standing.best:
        standing.best, standing.at = cost, standing.step
        standing.kept = {name: tensor.detach().clone() for name, tensor in network.adapter.items()}


def _share(step: int, steps: int, warm_up: int) -> float:
    """Of the rate: a line up over the first steps, then a cosine down (Loshchilov and Hutter, SGDR, ICLR 2017)."""
    if step < warm_up:
        return (step + 1) / warm_up
    return (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))) / 2


def _said(standing: Standing) -> str:
    point = standing.curve[-1]
    now = ", ".join(f"{name} {value:.4f}" for name, value in point.items() if name != "step")
    return f"{now}; best at step {standing.at}"
