"""From examples to an adapter on the shelf: reasons → reading, choosing, preferring → weight → files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

import genrec
from genrec.learn.adapter import Adapter, Base, Manifest, user_mark
from genrec.learn.checkpoint import Standing
from genrec.learn.choosing import Choosing
from genrec.learn.examples import Examples, Sampling
from genrec.learn.gate import fit_share
from genrec.learn.loading import Model
from genrec.learn.plan import Plan, Schedule, fingerprint
from genrec.learn.preferring import Preferring
from genrec.learn.reading import learn_to_read, readings
from genrec.learn.scorer import Scorer
from genrec.learn.sentences import Origin, Sentence
from genrec.learn.shape import Shape
from genrec.learn.shelf import Shelf
from genrec.learn.teacher import Teacher
from genrec.learn.train import train
from genrec.learn.writing import Writer, write
from genrec.parts import Status
from genrec.prompting import Pack
from genrec.types import PromptVersion


def make_adapter(
    shelf: Shelf,
    model: Model,
    packs: Sequence[Pack],
    examples: Examples,
    sampling: Sampling,
    shape: Shape,
    schedule: Schedule,
    *,
    teacher: Model | None = None,
    status: Status,
    wandb: bool = False,
) -> Adapter:
    """Train an adapter and put it on the shelf. Called again after it was killed, it goes on, to the same result.

    `teacher`: the model that writes the reasons to learn from, if it is another.
    """
    scorer = Scorer(model.folder, shape, shelf.frozen(model.base.sha256), schedule.seed)
    most = packs[0].front("explain", sampling.language).sampling.max_tokens
    origin, sentences = _reasons(shelf, model, teacher, scorer, examples, most, status)
    plan = Plan(
        model=model.base.name,
        base=model.base.sha256,
        prompts=tuple(PromptVersion(name=pack.name, version=pack.version) for pack in packs),
        examples=fingerprint(examples, sentences),
        threads=torch.get_num_threads(),
        sampling=sampling,
        shape=shape,
        schedule=schedule,
    )
    run = plan.begin(shelf.folder / "runs")
    phases: dict[str, Standing] = {}
    if sampling.readings:
        lists = readings(examples.items, packs[0], sampling)
        phases["reading"] = learn_to_read(run / "reading", scorer, lists, plan, status=status, wandb=wandb)
    choosing = Choosing(scorer, examples, sentences, schedule, status)
    phases["choosing"] = train(run / "choosing", scorer.network, choosing, plan, status=status, wandb=wandb)
    pairs = [example for example in examples.training if example.left]
    if pairs:
        preferring = Preferring(scorer, pairs, examples.validation, schedule)
        phases["preferring"] = train(run / "preferring", scorer.network, preferring, plan, status=status, wandb=wandb)
    fit = fit_share(examples.validation, scorer.scores([example.prompt for example in examples.validation]))
    learned = {
        "reasons": {origin: len(sentences)},
        "teacher": teacher.base if teacher else None,
        "pairs": len(pairs),
        "figures": {f"{name}, {phase}": n for phase, found in phases.items() for name, n in found.figures.items()},
    }
    earned = {"weight": fit.weight if fit else 0.0}
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in scorer.network.adapter.items()}
    return shelf.put(tensors, _manifest(plan, examples).model_copy(update=learned | earned), model.folder)


def _reasons(
    shelf: Shelf, model: Model, teacher: Model | None, scorer: Scorer, examples: Examples, most: int, status: Status
) -> tuple[Origin, Sequence[Sentence]]:
    """What the teacher writes and the check passes; without one, what was kept, or else the same of the base model."""
    if examples.kept and not teacher:
        return "kept", examples.kept
    origin: Origin = "teacher" if teacher else "base"
    writer: Writer = Teacher(teacher.folder) if teacher else scorer
    kept = shelf.frozen((teacher or model).base.sha256) / "reasons"
    texts = write(writer, [occasion.messages for occasion in examples.occasions], most, status, kept=kept)
    found = [occasion.sentence(text) for occasion, text in zip(examples.occasions, texts, strict=True)]
    return origin, [sentence for sentence in found if sentence]


def _manifest(plan: Plan, examples: Examples) -> Manifest:
    """What is known before training."""
    times = examples.times
    salt = hashlib.sha256(plan.model_dump_json().encode()).hexdigest()
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
        weight=0.0,
        figures={},
        files={},
    )
