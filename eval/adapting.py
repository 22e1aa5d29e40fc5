"""`python -m eval poison | variants | online | phases | smaller`: what learning from behaviour gains, and costs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eval import online as weighing
from eval import poison as poisoning
from eval import variants as contests
from eval.bench import device
from eval.options import RESULTS, AsJson, Data, Model, command_line, write_result
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.learn.examples import Sampling, build_examples
from genrec.learn.loading import find_model
from genrec.learn.plan import Schedule
from genrec.learn.shape import Shape
from genrec.parts import build_retriever, load_encoder
from genrec.prompting import load_pack
from genrec.ranking import LABELS
from genrec.recommender import DEFAULT_PACK
from genrec.store import Store, folder_pack, folder_weights, read_folder
from genrec.terminal import terminal
from retrieval import Event, Retriever, Weights
from retrieval.cache import VectorCache


def poison(
    data: Data,
    share: Annotated[list[float], typer.Option(min=0, max=1, help="Planted users for each honest one; repeat it.")],
    targets: Annotated[int, typer.Option(min=2, help="How many items are pushed, each by itself.")] = 8,
    victims: Annotated[int, typer.Option(min=2, help="In how many users' lists they are looked for.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Plant users who push an item, and show what it gains with and without the guards; by the folder's weights."""
    with terminal(cache_folder() / "log.txt") as screen:
        store, weights = read_folder(data), folder_weights(data) or Weights()
        encoder = load_encoder(DEFAULT_ENCODER, screen.status)
        cache = VectorCache(cache_folder() / "vectors.sqlite")
        found = poisoning.compare(
            store, encoder, cache, weights, share, targets=targets, victims=victims, status=screen.status
        )
        result = {"kind": "poison", "command": command_line(), "data": data.resolve().name, **found}
        write_result(RESULTS / f"poison-{data.resolve().name}", result)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        sizes = f"{result['users']} honest users, {result['items']} items, {targets} targets, {result['victims']} lists"
        screen.line(f"{result['data']}: {sizes}; filler of {result['profile']} items; intervals are 95% over targets")
        screen.line()
        screen.table(result["rows"])
        screen.line()
        screen.line("honest data: " + ", ".join(f"{name} {value}" for name, value in result["honest"].items()))
        screen.line("guards: " + ", ".join(f"{name} {value:g}" for name, value in result["guards"].items()))


_RATES = ((0.10, 0.10), (0.10, 0.12), (0.10, 0.15), (0.15, 0.10))


def variants(
    lists: Annotated[int, typer.Option(min=100, help="Lists of one contest.")] = 5000,
    seeds: Annotated[int, typer.Option(min=2, help="Contests for each pair of rates.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Let two versions of prompts compete for simulated users, and show what is lost against always the better one."""
    with terminal(cache_folder() / "log.txt") as screen:
        screen.status("simulating")
        rows = contests.compare(_RATES, lists, seeds)
        screen.status("")
        if as_json:
            screen.json({"kind": "variants", "command": command_line(), "rows": rows})
        else:
            screen.table(rows)


def online(
    data: Data,
    steps: Annotated[int, typer.Option(min=1, help="Lists of each user.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Replay users whose weights of signals move with what they take, against weights that are everybody's."""
    with terminal(cache_folder() / "log.txt") as screen:
        store = read_folder(data)
        encoder = load_encoder(DEFAULT_ENCODER, screen.status)

        def build(events: Sequence[Event]) -> Retriever:
            users = [store.user(user_id) for user_id in store.user_ids]
            return build_retriever(Store(store.items, users, events, people=store.people), encoder, screen.status)

        found = weighing.compare(store, build, steps, screen.status)
        result = {"kind": "online", "command": command_line(), "data": data.resolve().name, **found}
        write_result(RESULTS / f"online-{data.resolve().name}", result)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        sizes = f"{result['users']} users, {result['lists']} lists, {result['successes']} with a candidate taken soon"
        screen.line(f"{result['data']}: {sizes}; tuned on {result['tuned on']} other users")
        screen.line()
        screen.table(result["rows"])
        for name in ("sd", "sharpness", "everybody's, tuning", "tuning", "weights"):
            screen.line(f"{name}: {result[name]}")


def phases(
    data: Data,
    seeds: Annotated[int, typer.Option(min=1, help="Adapters that begin differently.")] = 3,
    candidates: Annotated[int, typer.Option(min=2, max=len(LABELS), help="In each prompt.")] = 10,
    history: Annotated[int, typer.Option(min=1, help="Events in each prompt.")] = 5,
    most: Annotated[int, typer.Option(min=1, help="Takes to train on, and to judge by.")] = 160,
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = 3,
    out: Annotated[Path, typer.Option(help="For runs, which go on after a kill.")] = RESULTS / "phases",
    as_json: AsJson = False,
) -> None:
    """Show what labels, preferences and the mean of several seeds add for people whom training never saw."""
    from eval import phases as learning  # peft comes with genrec[train]

    sampling = Sampling(candidates=candidates, history=history, most=most, forms=1, reasons=0)
    with terminal(cache_folder() / "log.txt") as screen:
        packs, weights = [load_pack(folder_pack(data) or DEFAULT_PACK)], folder_weights(data)
        examples = build_examples(
            read_folder(data), packs, sampling, encoder=DEFAULT_ENCODER, weights=weights, status=screen.status
        )
        model = find_model(None, screen.status)
        setting = learning.Setting(model, sampling, Shape(), Schedule(epochs=epochs, look=5), out)
        rows = learning.measure(setting, examples, seeds, screen.status)
        screen.status("")
        if as_json:
            screen.json({"kind": "phases", "command": command_line(), "model": model.base.name, "rows": rows})
            return
        counts = f"{len(examples.training)} examples, {len(examples.gate)} of people whom it never saw"
        screen.line(f"{model.base.name}; {counts}, {candidates} candidates each; intervals are 95% over users")
        screen.line()
        screen.table(rows)


class _Scheme(StrEnum):
    int8 = "int8"
    int4 = "int4"


def smaller(
    data: Data,
    model: Model = None,
    scheme: Annotated[list[_Scheme] | None, typer.Option(help="A quantised form to write; repeat it.")] = None,
    other: Annotated[list[str] | None, typer.Option(help="Another model to hold against it; repeat it.")] = None,
    adapter: Annotated[list[Path] | None, typer.Option(help="Of the model, as genrec train made it.")] = None,
    lists: Annotated[int, typer.Option(min=2, help="To rank, and as many takes to train a retriever by.")] = 100,
    reasons: Annotated[int, typer.Option(min=2, help="To write.")] = 60,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is asked.")] = 2,
    out: Annotated[Path, typer.Option(help="For smaller models and answers; what is there is used again.")] = RESULTS
    / "smaller",
    as_json: AsJson = False,
) -> None:
    """Hold a model's int8 and int4 forms, other models and its adapters against it: size, speed and quality."""
    from eval import smaller as serving  # compressed-tensors and peft come with vLLM and genrec[train]

    # Of people whom no adapter saw, every take may be asked for, once the retriever knows something.
    sampling = Sampling(candidates=10, history=5, later=0.7, most=lists, forms=1, reasons=reasons)
    with terminal(cache_folder() / "log.txt") as screen:
        store, pack, weights = read_folder(data), load_pack(folder_pack(data) or DEFAULT_PACK), folder_weights(data)
        examples = build_examples(
            store, [pack], sampling, encoder=DEFAULT_ENCODER, weights=weights, status=screen.status
        )
        base = find_model(model, screen.status)
        ways = serving.ways(base, scheme or (), other or (), out, screen.status)
        ways += [serving.adapted(folder, base, examples) for folder in adapter or ()]
        most = pack.front("explain", "en").sampling.max_tokens
        found = serving.measure(ways, examples, most, rounds, out, screen.status)
        rows = serving.table(ways, found, examples)
        failed = {name: one.failed for name, (one, *_) in found.items() if one.failed}
        screen.status("")
        if as_json:
            result = {"kind": "smaller", "command": command_line(), "device": device(), "rows": rows, "failed": failed}
            screen.json(result)
            return
        counts = f"{len(examples.gate)} lists, {len(examples.held_back)} reasons, {rounds} rounds"
        screen.line(f"{device()}; {data.resolve().name}: {counts}; intervals are 95% over users")
        screen.line()
        screen.table(rows)
        for name, cause in failed.items():
            screen.line(f"{name}: {cause}")
