"""From a store to an adapter that was judged: examples → training → weight → files → gate."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

import genrec
from genrec.learn.adapter import Adapter, Base, Manifest, read_adapter, user_mark, write_adapter
from genrec.learn.canary import canaries, failures
from genrec.learn.checkpoint import Standing
from genrec.learn.examples import Example, Examples, Prompt, Sampling
from genrec.learn.gate import Verdict, Way, fit_share, judge
from genrec.learn.loading import Model
from genrec.learn.plan import Plan, Schedule, fingerprint
from genrec.learn.scorer import Scorer
from genrec.learn.shape import Shape
from genrec.learn.shelf import NOTHING, Shelf
from genrec.learn.train import train
from genrec.parts import Status
from genrec.prompting import Pack
from genrec.types import PromptVersion
from genrec.weighing import WeightFit


def make_adapter(
    shelf: Shelf,
    model: Model,
    packs: Sequence[Pack],
    examples: Examples,
    sampling: Sampling,
    shape: Shape,
    schedule: Schedule,
    *,
    status: Status,
    wandb: bool = False,
) -> Adapter:
    """Train an adapter and put it on the shelf. Called again after it was killed, it goes on, to the same result."""
    plan = Plan(
        model=model.base.name,
        base=model.base.sha256,
        prompts=tuple(PromptVersion(name=pack.name, version=pack.version) for pack in packs),
        examples=fingerprint(examples),
        threads=torch.get_num_threads(),
        sampling=sampling,
        shape=shape,
        schedule=schedule,
    )
    run = plan.begin(shelf.folder / "runs")
    scorer = Scorer(model.folder, shape, _frozen(shelf, model), schedule.seed)
    standing = train(run, scorer, examples, plan, status=status, wandb=wandb)
    fit = fit_share(examples.validation, scorer.scores([example.prompt for example in examples.validation]))
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in scorer.network.adapter.items()}
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=shelf.folder) as draft:
        folder = Path(draft) / "adapter"
        write_adapter(folder, tensors, _manifest(plan, examples, standing, fit))
        adapter, _ = read_adapter(folder, model.base, model.folder)
        shelf.keep(adapter)
    return read_adapter(shelf.place(adapter.version), model.base, model.folder)[0]


def judge_adapter(
    shelf: Shelf, adapter: Adapter, model: Model, weight: float, pack: Pack, examples: Examples, status: Status
) -> Verdict:
    """Hold an adapter against what ranks now, and keep what the gate says of it.

    `weight`: of the base model without an adapter in the fused score.
    """
    status("asking the adapter about people whom it never saw")
    scorer = _loaded(shelf, adapter, model)
    tried = canaries(pack, adapter.manifest.sampling.language)
    found = failures(scorer.scores(tried))
    fit = fit_share(examples.validation, scorer.scores(_prompts(examples.validation)))
    ours = Way(adapter.version, adapter.manifest.weight, scorer.scores(_prompts(examples.gate)))
    status("asking what ranks now about the same people")
    theirs = _current(shelf, scorer, model, weight, examples.gate)
    verdict = judge(examples.gate, theirs, ours, fit, len(tried), found)
    shelf.judged(adapter.version, verdict)
    return verdict


def _current(shelf: Shelf, scorer: Scorer, model: Model, weight: float, gate: Sequence[Example]) -> Way:
    version = shelf.production
    if version == NOTHING:
        scorer.network.clear()
        return Way(NOTHING, weight, scorer.scores(_prompts(gate)))
    now, _ = read_adapter(shelf.place(version), model.base, model.folder)
    return Way(version, now.manifest.weight, _loaded(shelf, now, model).scores(_prompts(gate)))


def _loaded(shelf: Shelf, adapter: Adapter, model: Model) -> Scorer:
    """The base model with an adapter in it."""
    checked, tensors = read_adapter(adapter.folder, model.base, model.folder)
    shape = checked.manifest.shape
    scorer = Scorer(model.folder, shape, _frozen(shelf, model))
    scorer.network.load({name: torch.tensor(numbers) for name, numbers in tensors.items()})
    return scorer


def _frozen(shelf: Shelf, model: Model) -> Path:
    return shelf.folder / "frozen" / model.base.sha256[:12]


def _prompts(examples: Sequence[Example]) -> list[Prompt]:
    return [example.prompt for example in examples]


def _manifest(plan: Plan, examples: Examples, standing: Standing, fit: WeightFit | None) -> Manifest:
    times = examples.times
    salt = hashlib.sha256(plan.model_dump_json().encode()).hexdigest()
    best = next(point for point in standing.curve if point["step"] == standing.at)
    return Manifest(
        genrec=genrec.__version__,
        base=Base(name=plan.model, sha256=plan.base),
        shape=plan.shape,
        prompts=plan.prompts,
        sampling=plan.sampling,
        examples={"training": len(examples.training), "validation": len(examples.validation)},
        first=times[0] if times else None,
        last=times[1] if times else None,
        salt=salt,
        users=tuple(sorted(user_mark(user, salt) for user in examples.users)),
        seed=plan.schedule.seed,
        weight=fit.weight if fit else 0.0,
        figures=best,
        files={},
    )
