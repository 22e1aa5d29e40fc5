"""Adapters that nobody trained, and verdicts that no gate gave: to try out what becomes of them in a service.

They are random numbers in the files that training writes, and are checked on their way in as all are. Nothing that is
measured with them says how good any adapter is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import genrec
from genrec.learn.adapter import Base, Manifest, shapes, user_mark
from genrec.learn.examples import Sampling
from genrec.learn.gate import Side, Verdict
from genrec.learn.loading import Model
from genrec.learn.shape import Shape
from genrec.learn.shelf import Shelf
from genrec.prompting import Pack
from genrec.types import PromptVersion

_SALT = "0" * 64
_NO_PROMPTS = PromptVersion(name="untrained", version="0" * 12)
_SPREAD = 0.05
"""Of the numbers: enough to change what a small model says."""


def manifest_of(
    base: Base, shape: Shape, users: Sequence[str] = (), weight: float = 0.5, pack: Pack | None = None, seed: int = 0
) -> Manifest:
    """What an adapter says of itself that saw these users and prompts, and was made of nothing."""
    return Manifest(
        genrec=genrec.__version__,
        base=base,
        shape=shape,
        prompts=(PromptVersion(name=pack.name, version=pack.version) if pack else _NO_PROMPTS,),
        sampling=Sampling(),
        examples={},
        first=None,
        last=None,
        salt=_SALT,
        users=tuple(user_mark(user, _SALT) for user in users),
        seed=seed,
        weight=weight,
        figures={},
        files={},
    )


def stock(
    shelf: Shelf, model: Model, seed: int, users: Sequence[str] = (), weight: float = 0.5, pack: Pack | None = None
) -> str:
    """Put an adapter of random numbers on a shelf: its version."""
    shape, draw = Shape(), np.random.default_rng(seed)
    sizes = shapes(shape, model.folder).items()
    tensors = {name: (draw.normal(size=size) * _SPREAD).astype(np.float32) for name, size in sizes}
    return shelf.put(tensors, manifest_of(model.base, shape, users, weight, pack, seed), model.folder).version


def promote(shelf: Shelf, version: str) -> None:
    """Promote an adapter by a verdict that is written here as the gate writes one, though nobody was asked."""
    sides = [Side(name=name, weight=0.5, ndcg=0.0, alone=0.0) for name in (shelf.production, version)]
    made_up = Verdict(
        current=sides[0],
        candidate=sides[1],
        retriever=0.0,
        users=0,
        lists=0,
        listed=0,
        difference=0.0,
        interval=(0.0, 0.0),
        p=1.0,
        gaps=(),
        fit=None,
        canaries=0,
        refused=(),
    )
    shelf.judged(version, made_up)
    shelf.promote(version)
