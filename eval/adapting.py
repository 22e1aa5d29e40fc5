"""`python -m eval poison | variants | online`: what learning from behaviour gains at once, what it lets others do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from eval import online as weighing
from eval import poison as poisoning
from eval import variants as contests
from eval.options import RESULTS, AsJson, Data, command_line, write_result
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.parts import build_retriever, load_encoder
from genrec.store import Store, folder_weights, read_folder
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
