"""`genrec train`: train an adapter, let the gate judge it, promote it, take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from genrec.arguments import AsJson, InLanguage, LanguageName, Model, OneUser, PackName
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.errors import ModelError
from genrec.learn.adapter import read_adapter
from genrec.learn.examples import Examples, Sampling, build_examples
from genrec.learn.gate import Side, Verdict
from genrec.learn.loading import find_model
from genrec.learn.plan import Schedule
from genrec.learn.shape import MOST_RANK, Shape
from genrec.learn.shelf import Shelf
from genrec.learn.source import Source, from_database, from_folder
from genrec.parts import Status
from genrec.prompting import Pack, load_pack
from genrec.ranking import LABELS
from genrec.terminal import Terminal, terminal

training = typer.Typer(help="Train adapters on behaviour; none ranks before it has won.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--data", help="Folder with items, users and events.")]
Url = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="Of the service: sqlite:///FILE or postgresql://...")
]
OfTenant = Annotated[str, typer.Option("--tenant", help="Whose, in the database.")]
Home = Annotated[Path | None, typer.Option("--adapters", help="Where adapters are kept; else DATA/adapters.")]
Kept = Annotated[Path, typer.Option("--adapters", help="Where adapters are kept.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Of an adapter, as genrec train list shows it.")]


@training.command("run", epilog="Example: genrec train run --data films")
def run(
    data: Folder = None,
    database: Url = None,
    tenant: OfTenant = "default",
    adapters: Home = None,
    model: Model = None,
    pack: PackName = None,
    paraphrase: Annotated[
        list[str] | None, typer.Option(metavar="PACK", help="Another pack whose words are trained on, too.")
    ] = None,
    language: InLanguage = LanguageName.en,
    candidates: Annotated[int, typer.Option(min=2, max=len(LABELS), help="In each prompt, as they are served.")] = 20,
    history: Annotated[int, typer.Option(min=1, help="Events in each prompt.")] = 10,
    most: Annotated[int, typer.Option(min=1, help="Takes to train on, and to judge by.")] = 2000,
    forms: Annotated[int, typer.Option(min=1, help="Prompts made of each take: the one served, and variations.")] = 2,
    rank: Annotated[int, typer.Option(min=1, max=MOST_RANK, help="Of the adapter.")] = 8,
    layers: Annotated[int, typer.Option(min=1, help="How many of the last layers are trained.")] = 4,
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Examples a step.")] = 16,
    side_by_side: Annotated[int, typer.Option(min=1, help="Of them at once, as memory allows.")] = 4,
    rate: Annotated[float, typer.Option(min=1e-8, help="Of learning.")] = 5e-4,
    look: Annotated[int, typer.Option(min=1, help="Steps between two looks at validation.")] = 20,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    wandb: Annotated[bool, typer.Option("--wandb", help="Send the curves to Weights & Biases, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train an adapter and let the gate judge it. After a kill the same command goes on, to the same result."""
    making = _making()
    sampling = Sampling(
        candidates=candidates, history=history, language=language.value, most=most, forms=forms, seed=seed
    )
    schedule = Schedule(epochs=epochs, batch=batch, side_by_side=side_by_side, rate=rate, look=look, seed=seed)
    with terminal(cache_folder() / "log.txt") as screen:
        shelf, source = _shelf(adapters, data), _source(data, database, tenant)
        packs = [load_pack(name) for name in (pack or source.pack, *(paraphrase or ()))]
        base = find_model(model, screen.status)
        examples = _examples(source, packs, sampling, screen.status)
        shape = Shape(rank=rank, alpha=2 * rank, layers=layers)
        made = making.make_adapter(
            shelf, base, packs, examples, sampling, shape, schedule, status=screen.status, wandb=wandb
        )
        weight = source.model_weight(base.base.name)
        verdict = making.judge_adapter(shelf, made, base, weight, packs[0], examples, screen.status)
        _show(screen, made.version, verdict, as_json=as_json)


@training.command("judge", epilog="Example: genrec train judge 3f2a91c04d5e --data films")
def judge(
    version: Version,
    data: Folder = None,
    database: Url = None,
    tenant: OfTenant = "default",
    adapters: Home = None,
    model: Model = None,
    pack: PackName = None,
    as_json: AsJson = False,
) -> None:
    """Hold an adapter against the one that ranks now, for people whom it never saw."""
    making = _making()
    with terminal(cache_folder() / "log.txt") as screen:
        shelf, source = _shelf(adapters, data), _source(data, database, tenant)
        place, base = shelf.place(version), find_model(model, screen.status)
        adapter, _ = read_adapter(place, base.base, base.folder)
        serving, trained = load_pack(pack or source.pack), adapter.manifest.prompts[0]
        if serving.version != trained.version:
            raise ModelError(
                f"adapter {version} was trained on {trained.name}@{trained.version}, not on {serving.name}@"
                f"{serving.version}: name its pack with --pack, or train anew"
            )
        examples = _examples(source, [serving], adapter.manifest.sampling, screen.status)
        weight = source.model_weight(base.base.name)
        verdict = making.judge_adapter(shelf, adapter, base, weight, serving, examples, screen.status)
        _show(screen, version, verdict, as_json=as_json)


@training.command("list", epilog="Example: genrec train list --adapters films/adapters")
def show(adapters: Kept, as_json: AsJson = False) -> None:
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
def promote(version: Version, adapters: Kept) -> None:
    """Let an adapter rank, if the gate found that it wins over the one that ranks now."""
    shelf = Shelf(adapters)
    before = shelf.production
    typer.echo(f"production: {before} -> {shelf.promote(version).version}")


@training.command("rollback", epilog="Example: genrec train rollback --adapters films/adapters")
def rollback(adapters: Kept) -> None:
    """Let the one rank that did before; again, the one before that; in the end the base model."""
    shelf = Shelf(adapters)
    before = shelf.production
    typer.echo(f"production: {before} -> {shelf.rollback().version}")


@training.command("forget", epilog="Example: genrec train forget --user 42 --adapters films/adapters")
def forget(user: OneUser, adapters: Kept) -> None:
    """Mark every adapter that saw a user, for one who is erased: none of them is promoted any more."""
    saw = Shelf(adapters).forget(user)
    typer.echo(f"marked: {', '.join(saw) or 'none'}; what ranks keeps ranking until another adapter is promoted")


def _row(shelf: Shelf, version: str, production: str, erased: Mapping[str, str]) -> dict[str, str]:
    verdict = shelf.verdict(version)
    return {
        "adapter": version,
        "ranks": "yes" if version == production else "",
        "difference": f"{verdict.difference:+.4f}" if verdict else "",
        "gate": ("refused" if verdict.refused else "wins") if verdict else "not asked",
        "saw somebody erased": erased.get(version, ""),
    }


def _making() -> ModuleType:
    """What trains, with seconds of imports that other commands need not wait for."""
    try:
        from genrec.learn import making
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: run pip install 'genrec[train]'") from error
    return making


def _source(data: Path | None, database: str | None, tenant: str) -> Source:
    if (data is None) == (database is None):
        raise typer.BadParameter("name the data by --data or by --database, one of the two")
    return from_folder(data) if data else from_database(database or "", tenant)


def _shelf(adapters: Path | None, data: Path | None) -> Shelf:
    if adapters is None and data is None:
        raise typer.BadParameter("name the folder where adapters are kept by --adapters")
    return Shelf(adapters or (data or Path()) / "adapters")


def _examples(source: Source, packs: Sequence[Pack], sampling: Sampling, status: Status) -> Examples:
    return build_examples(
        source.store,
        packs,
        sampling,
        encoder=DEFAULT_ENCODER,
        weights=source.weights,
        served=source.served,
        status=status,
    )


def _show(screen: Terminal, version: str, verdict: Verdict, *, as_json: bool) -> None:
    screen.status("")
    if as_json:
        screen.json({"adapter": version, **verdict.model_dump()})
        return
    screen.table([_side("now", verdict.current), _side("adapter", verdict.candidate)])
    screen.line(
        f"\n{verdict.users} users whom it never saw, {verdict.lists} lists, {verdict.listed} with what was taken; "
        f"{verdict.difference:+.4f} ({verdict.interval[0]:+.4f} to {verdict.interval[1]:+.4f}, p {verdict.p:.4f}); "
        f"the retriever's order, with what was taken put in: {verdict.retriever:.4f}"
    )
    for gap in verdict.gaps:
        screen.line(f"gap by {gap.attribute}: {gap.current:.4f} now, {gap.candidate:.4f} with the adapter")
    screen.line(f"{verdict.canaries} canary prompts; reasons are the base model's, with and without the adapter")
    for cause in verdict.refused:
        screen.line(f"refused: {cause}")
    screen.line(
        f"adapter {version} stays a candidate" if verdict.refused else f"it wins: genrec train promote {version}"
    )


def _side(which: str, side: Side) -> dict[str, str]:
    return {
        "": which,
        "adapter": side.name,
        "weight": f"{side.weight:g}",
        "NDCG@10 of the lists": f"{side.ndcg:.4f}",
        "of the model alone, what was taken put in": f"{side.alone:.4f}",
    }
