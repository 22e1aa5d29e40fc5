"""`genrec train`: train an adapter, let the gate judge it, promote it, take it back."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType

import typer

from genrec.arguments import AsJson, InLanguage, LanguageName, Model, OneUser, PackName
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.errors import ModelError
from genrec.learn import options
from genrec.learn.adapter import Adapter, read_adapter
from genrec.learn.examples import Examples, Sampling, build_examples
from genrec.learn.gate import Verdict
from genrec.learn.loading import find_model
from genrec.learn.options import shelf_of, source_of
from genrec.learn.plan import Schedule
from genrec.learn.shape import Shape
from genrec.learn.shelf import Shelf
from genrec.learn.showing import show_adapter, show_verdict
from genrec.learn.source import Source
from genrec.parts import Status
from genrec.prompting import Pack, load_pack
from genrec.terminal import Terminal, terminal
from genrec.types import ShownReason

training = typer.Typer(help="Train adapters on behaviour; none ranks before it has won.", no_args_is_help=True)


@training.command("run", epilog="Example: genrec train run --data films")
def run(
    data: options.Folder = None,
    database: options.Url = None,
    tenant: options.OfTenant = "default",
    adapters: options.Home = None,
    model: Model = None,
    pack: PackName = None,
    paraphrase: options.Paraphrase = None,
    language: InLanguage = LanguageName.en,
    candidates: options.Candidates = 20,
    history: options.History = 10,
    most: options.Most = 2000,
    judged: options.Judged = 500,
    forms: options.Forms = 2,
    readings: options.Readings = 160,
    reasons: options.Reasons = 60,
    teacher: options.Teacher = None,
    rank: options.Rank = 16,
    layers: options.Layers = 16,
    epochs: options.Epochs = 2,
    batch: options.Batch = 16,
    side_by_side: options.SideBySide = 4,
    rate: options.Rate = 1e-3,
    look: options.Look = 20,
    patience: options.Patience = 3,
    seed: options.Seed = 0,
    wandb: options.ToWandb = False,
    as_json: AsJson = False,
) -> None:
    """Train an adapter and let the gate judge it. After a kill the same command goes on, to the same result."""
    if teacher and not reasons:
        raise typer.BadParameter("a teacher writes reasons: let --reasons be more than 0")
    sampling = Sampling(
        candidates=candidates,
        history=history,
        language=language.value,
        most=most,
        judged=judged,
        forms=forms,
        readings=readings,
        reasons=reasons,
        seed=seed,
    )
    shape = Shape(rank=rank, alpha=2 * rank, layers=layers)
    schedule = Schedule(
        epochs=epochs, batch=batch, side_by_side=side_by_side, rate=rate, look=look, patience=patience, seed=seed
    )
    with terminal(cache_folder() / "log.txt") as screen:
        shelf, source = shelf_of(adapters, data), source_of(data, database, tenant)
        making, judging = _imported("making"), _imported("judging")
        packs = [load_pack(name) for name in (pack or source.pack, *(paraphrase or ()))]
        base, other = find_model(model, screen.status), find_model(teacher, screen.status) if teacher else None
        shown = () if teacher else source.shown
        examples = _examples(source, packs, sampling, shown, screen.status)
        made = making.make_adapter(
            shelf, base, packs, examples, sampling, shape, schedule, teacher=other, status=screen.status, wandb=wandb
        )
        weight = source.model_weight(base.base.name)
        verdict = judging.judge_adapter(shelf, made, base, weight, packs[0], examples, screen.status)
        _show(screen, made, verdict, as_json=as_json)


@training.command("judge", epilog="Example: genrec train judge 3f2a91c04d5e --data films")
def judge(
    version: options.Version,
    data: options.Folder = None,
    database: options.Url = None,
    tenant: options.OfTenant = "default",
    adapters: options.Home = None,
    model: Model = None,
    pack: PackName = None,
    as_json: AsJson = False,
) -> None:
    """Hold an adapter against the one that ranks now, for people whom it never saw."""
    with terminal(cache_folder() / "log.txt") as screen:
        shelf, source = shelf_of(adapters, data), source_of(data, database, tenant)
        judging = _imported("judging")
        place, base = shelf.place(version), find_model(model, screen.status)
        adapter, _ = read_adapter(place, base.base, base.folder)
        serving, trained = load_pack(pack or source.pack), adapter.manifest.prompts[0]
        if serving.version != trained.version:
            raise ModelError(
                f"adapter {version} was trained on {trained.name}@{trained.version}, not on {serving.name}@"
                f"{serving.version}: name its pack with --pack, or train anew"
            )
        examples = _examples(source, [serving], adapter.manifest.sampling, (), screen.status)
        weight = source.model_weight(base.base.name)
        verdict = judging.judge_adapter(shelf, adapter, base, weight, serving, examples, screen.status)
        _show(screen, adapter, verdict, as_json=as_json)


@training.command("list", epilog="Example: genrec train list --adapters films/adapters")
def show(adapters: options.Kept, as_json: AsJson = False) -> None:
    """List adapters: what the gate said of each, which one ranks, and which saw somebody who was erased since."""
    shelf = Shelf(adapters)
    with terminal(cache_folder() / "log.txt") as screen:
        production, erased = shelf.production, shelf.erased()
        rows = [_row(shelf, version, production, erased) for version in shelf.versions()]
        if as_json:
            screen.json({"production": production, "adapters": rows})
        else:
            screen.table(rows)
            screen.line(f"production: {production}")


@training.command("promote", epilog="Example: genrec train promote 3f2a91c04d5e --adapters films/adapters")
def promote(version: options.Version, adapters: options.Kept) -> None:
    """Let an adapter rank, if the gate found that it wins over the one that ranks now."""
    shelf = Shelf(adapters)
    before = shelf.production
    typer.echo(f"production: {before} -> {shelf.promote(version).version}")


@training.command("rollback", epilog="Example: genrec train rollback --adapters films/adapters")
def rollback(adapters: options.Kept) -> None:
    """Let the one rank that did before; again, the one before that; in the end the base model."""
    shelf = Shelf(adapters)
    before = shelf.production
    typer.echo(f"production: {before} -> {shelf.rollback().version}")


@training.command("forget", epilog="Example: genrec train forget --user 42 --adapters films/adapters")
def forget(user: OneUser, adapters: options.Kept) -> None:
    """Mark every adapter that saw a user, for one who is erased: none of them is promoted any more."""
    saw = Shelf(adapters).forget(user)
    typer.echo(f"marked: {', '.join(saw) or 'none'}; what ranks keeps ranking until another adapter is promoted")


def _row(shelf: Shelf, version: str, production: str, erased: Mapping[str, str]) -> dict[str, str]:
    verdict = shelf.verdict(version)
    told = verdict.told if verdict else None
    return {
        "adapter": version,
        "ranks": "yes" if version == production else "",
        "difference": f"{verdict.difference:+.4f}" if verdict else "",
        "reasons that pass": f"{told.current['passed']} -> {told.candidate['passed']}" if told else "",
        "gate": ("refused" if verdict.refused else "wins") if verdict else "not asked",
        "saw somebody erased": erased.get(version, ""),
    }


def _imported(name: str) -> ModuleType:
    """What trains and judges, with seconds of imports that other commands need not wait for."""
    try:
        return importlib.import_module(f"genrec.learn.{name}")
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: run pip install 'genrec[train]'") from error


def _examples(
    source: Source, packs: Sequence[Pack], sampling: Sampling, shown: Sequence[ShownReason], status: Status
) -> Examples:
    return build_examples(
        source.store,
        packs,
        sampling,
        encoder=DEFAULT_ENCODER,
        weights=source.weights,
        served=source.served,
        shown=shown,
        status=status,
    )


def _show(screen: Terminal, adapter: Adapter, verdict: Verdict, *, as_json: bool) -> None:
    screen.status("")
    if as_json:
        screen.json({"adapter": adapter.version, **verdict.model_dump()})
    else:
        show_adapter(screen, adapter)
        show_verdict(screen, adapter.version, verdict)
