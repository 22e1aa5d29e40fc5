"""`python -m eval binding | phases | transfer | smaller`: what training makes of a small model, and what serves."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from eval.bench import device
from eval.method import Status
from eval.options import RESULTS, AsJson, Data, Model, command_line, write_result
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.learn import options
from genrec.learn.adapter import read_adapter
from genrec.learn.examples import Examples, Sampling, build_examples
from genrec.learn.loading import find_model
from genrec.learn.plan import Schedule
from genrec.learn.shape import Shape
from genrec.prompting import Pack, load_pack
from genrec.recommender import DEFAULT_PACK
from genrec.store import folder_pack, folder_weights, read_folder
from genrec.terminal import Terminal, terminal


class Scheme(StrEnum):
    """A quantised form."""

    int8 = "int8"
    int4 = "int4"


Runs = Annotated[Path, typer.Option("--out", help="For runs, which go on after a kill.")]


def binding(
    data: Data,
    most: Annotated[int, typer.Option(min=8, help="Lists to learn from, eight a step.")] = 240,
    layers: options.Layers = 16,
    rank: options.Rank = 16,
    rate: options.Rate = 1e-3,
    seed: options.Seed = 0,
    out: Runs = RESULTS / "binding",
    as_json: AsJson = False,
) -> None:
    """Teach to find what is asked for by its title, with letters behind items and in front of them."""
    from eval.binding import measure  # peft comes with genrec[train]
    from eval.setting import Setting

    with terminal(cache_folder() / "log.txt") as screen:
        shape = Shape(rank=rank, alpha=2 * rank, layers=layers)
        sampling, schedule = Sampling(candidates=10, readings=most), Schedule(rate=rate, patience=most, seed=seed)
        model = find_model(None, screen.status)
        setting = Setting(model, sampling, shape, schedule, load_pack("movies"), out)
        rows = measure(setting, read_folder(data).items, screen.status)
        _show(screen, "binding", f"{model.base.name}; the last {layers} layers, rank {rank}", rows, as_json=as_json)


def phases(
    data: Data,
    seeds: Annotated[int, typer.Option(min=1, help="Adapters that begin differently.")] = 3,
    candidates: options.Candidates = 10,
    history: options.History = 5,
    most: options.Most = 400,
    judged: options.Judged = 200,
    layers: options.Layers = 16,
    rank: options.Rank = 16,
    rate: options.Rate = 1e-3,
    epochs: options.Epochs = 1,
    out: Runs = RESULTS / "phases",
    as_json: AsJson = False,
) -> None:
    """Show what labels, preferences and the mean of several seeds add for people whom training never saw."""
    from eval.phases import measure  # peft comes with genrec[train]
    from eval.setting import Setting

    sampling = Sampling(candidates=candidates, history=history, most=most, judged=judged, reasons=0)
    shape = Shape(rank=rank, alpha=2 * rank, layers=layers)
    with terminal(cache_folder() / "log.txt") as screen:
        examples = _examples(data, sampling, screen.status)
        model = find_model(None, screen.status)
        schedule = Schedule(epochs=epochs, rate=rate, look=10)
        setting = Setting(model, sampling, shape, schedule, _pack(data), out)
        rows = measure(setting, examples, seeds, screen.status)
        _show(screen, "phases", f"{model.base.name}; {_counts(examples)}", rows, as_json=as_json)


def transfer(
    data: Data,
    adapter: Annotated[Path, typer.Option(help="The folder of one that was trained on something else.")],
    few: Annotated[int, typer.Option(min=1, help="Takes of here to train on.")] = 300,
    judged: options.Judged = 300,
    rate: options.Rate = 5e-4,
    epochs: options.Epochs = 1,
    out: Runs = RESULTS / "transfer",
    as_json: AsJson = False,
) -> None:
    """Show what an adapter of one domain is worth in another, as it is and with a few examples of that one."""
    from eval.setting import Setting
    from eval.transfer import measure  # peft comes with genrec[train]

    with terminal(cache_folder() / "log.txt") as screen:
        model = find_model(None, screen.status)
        learned, tensors = read_adapter(adapter, model.base, model.folder)
        said = learned.manifest
        sampling = said.sampling.model_copy(update={"most": few, "judged": judged, "reasons": 0})
        examples = _examples(data, sampling, screen.status)
        schedule = Schedule(epochs=epochs, rate=rate, look=10)
        setting = Setting(model, sampling, said.shape, schedule, _pack(data), out)
        rows = measure(setting, learned.version, tensors, examples, screen.status)
        _show(screen, "transfer", f"{learned.model} on {data.name}; {_counts(examples)}", rows, as_json=as_json)


def smaller(
    data: Data,
    model: Model = None,
    scheme: Annotated[list[Scheme] | None, typer.Option(help="A quantised form to write; repeat it.")] = None,
    other: Annotated[list[str] | None, typer.Option(help="Another model to hold against it; repeat it.")] = None,
    adapter: Annotated[list[Path] | None, typer.Option(help="Of the model, as genrec train made it.")] = None,
    lists: Annotated[int, typer.Option(min=2, help="Takes before which lists are ranked.")] = 100,
    reasons: Annotated[int, typer.Option(min=2, help="To write.")] = 60,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is asked.")] = 2,
    out: Annotated[Path, typer.Option(help="For smaller models and answers; what is there is used again.")] = RESULTS
    / "smaller",
    as_json: AsJson = False,
) -> None:
    """Hold a model's int8 and int4 forms, other models and its adapters against it: size, speed and quality."""
    from eval import smaller as serving  # compressed-tensors and peft come with vLLM and genrec[train]

    # Of people whom no adapter saw, every take may be asked for, once the retriever knows something.
    sampling = Sampling(candidates=10, history=5, later=0.7, most=lists, judged=lists, forms=1, reasons=reasons)
    with terminal(cache_folder() / "log.txt") as screen:
        examples = _examples(data, sampling, screen.status)
        base = find_model(model, screen.status)
        ways = serving.ways(base, scheme or (), other or (), out, screen.status)
        ways += [serving.adapted(folder, base, examples) for folder in adapter or ()]
        most = _pack(data).front("explain", "en").sampling.max_tokens
        found = serving.measure(ways, examples, most, rounds, out, screen.status)
        counts = f"{len(examples.gate)} lists, {len(examples.held_back)} reasons, {rounds} rounds"
        causes = [f"{name}: {one.failed}" for name, (one, *_) in found.items() if one.failed]
        said = "\n".join([f"{device()}; {data.resolve().name}: {counts}; intervals are 95% over users", *causes])
        _show(screen, "smaller", said, serving.table(ways, found, examples), as_json=as_json)


def _examples(data: Path, sampling: Sampling, status: Status) -> Examples:
    return build_examples(
        read_folder(data),
        [_pack(data)],
        sampling,
        encoder=DEFAULT_ENCODER,
        weights=folder_weights(data),
        status=status,
    )


def _pack(data: Path) -> Pack:
    return load_pack(folder_pack(data) or DEFAULT_PACK)


def _counts(examples: Examples) -> str:
    return (
        f"{len(examples.training)} examples, {len(examples.validation)} lists to fit a weight, "
        f"{len(examples.gate)} lists of {len({example.user_id for example in examples.gate})} people whom it never saw"
    )


def _show(screen: Terminal, kind: str, said: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    result = {"kind": kind, "command": command_line(), "of": said, "rows": rows}
    write_result(RESULTS / kind, result)
    screen.status("")
    if as_json:
        screen.json(result)
        return
    screen.line(said)
    screen.line()
    screen.table(rows)
