"""`python -m eval service-...`: what the service promises, measured from outside."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from eval.options import AsJson
from eval.service import isolation as isolating
from eval.service import load as loading
from eval.service import outage as outages
from eval.service import swaps as swapping
from genrec.engine import cache_folder
from genrec.terminal import Terminal, terminal


def outage(
    requests: Annotated[int, typer.Option(min=12, help="How many recommendations are asked for.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Kill a real vLLM server under a running service and start it again: no answer may be lost or unflagged."""
    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        found = outages.measure(requests, Path(folder), screen.status)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            _pairs(screen, found.model_dump())


def swaps(
    moves: Annotated[int, typer.Option("--swaps", min=1, help="How often another adapter is put in production.")] = 50,
    server: Annotated[bool, typer.Option("--server", help="The model runs in a vLLM server, not in genrec.")] = False,
    as_json: AsJson = False,
) -> None:
    """Promote adapters and take them back under a running service; the exit status is 1 if a request fails, or its
    answer names an adapter that did not rank."""
    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        found = swapping.measure(moves, Path(folder), screen.status, server=server)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            _pairs(screen, found.model_dump())
    if problems := list(swapping.sound(found)):
        raise SystemExit("; ".join(problems))


def contract(
    examples: Annotated[int, typer.Option(min=1, help="Random requests for each operation and phase.")] = 230,
    as_json: AsJson = False,
) -> None:
    """Hold the service to its own description with schemathesis; the exit status is 1 if a check fails."""
    from eval.service.contract import check  # schemathesis comes with the tests

    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        found = check(examples, Path(folder), screen.status)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            screen.line(found.said)
            _pairs(screen, found.model_dump(exclude={"said"}))
    raise typer.Exit(1 if found.failures else 0)


def pages(
    data: Annotated[Path, typer.Option("--data", help="A data folder: one list is asked for each of its users.")] = (
        Path("prompts/shop/demo")
    ),
    images: Annotated[Path | None, typer.Option(help="Take pictures of the pages into this folder instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """In a real browser: how soon the first card is there, and how much moves after it."""
    from eval.service.pages import measure, photograph  # playwright comes with the tests

    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        if images:
            for path in photograph(data, Path(folder), images, screen.status):
                screen.line(str(path))
            return
        found = measure(data, Path(folder), screen.status)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            _pairs(screen, found.model_dump())


def isolation(
    requests: Annotated[int, typer.Option(min=50, help="How many requests for what is another tenant's.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Ask with one tenant's key for what is another's, everywhere; the exit status is 1 if anything gets through."""
    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        found = isolating.measure(requests, Path(folder), screen.status)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            _pairs(screen, found.model_dump())
    if problems := list(isolating.sound(found)):
        raise SystemExit("; ".join(problems))


def crash(
    kills: Annotated[int, typer.Option(min=1, help="How often the service is killed, on each database.")] = 200,
    control: Annotated[int, typer.Option(min=1, help="How often the service of the control is.")] = 10,
    only: Annotated[str | None, typer.Option(help="sqlite or postgresql; else both.")] = None,
    as_json: AsJson = False,
) -> None:
    """Kill the service in the middle of writes; the exit status is 1 if what it acknowledged is lost."""
    from eval.service import crash as crashing  # a PostgreSQL comes with the tests

    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        found = crashing.measure(Path(folder), kills, control, only, screen.status)
        screen.status("")
        rows = [one.model_dump() for one in found]
        if as_json:
            screen.json({"rows": rows})
        else:
            screen.table(rows)
    if problems := list(crashing.sound(found)):
        raise SystemExit("; ".join(problems))


def load(
    seconds: Annotated[float, typer.Option(min=5, help="How long the clients ask, each time.")] = 30,
    delay: Annotated[float, typer.Option(min=0.01, help="Seconds that every call of the model takes.")] = 1.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often the overhead is measured.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Measure what the service adds to its model's time, and ten times what it can do; the exit status is 1 if that is
    more than 10 ms at p95 with 50 clients, or an accepted request is late, or a refusal slow."""
    with terminal(cache_folder() / "log.txt") as screen, tempfile.TemporaryDirectory() as folder:
        found = loading.measure(seconds, delay, rounds, Path(folder), screen.status)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            screen.line(f"{found.clients} clients; the model takes {found.model_ms} ms of each answer")
            screen.table([one.model_dump() for one in found.overhead])
            screen.line()
            _pairs(screen, found.overload.model_dump())
    if problems := list(loading.sound(found)):
        raise SystemExit("; ".join(problems))


def _pairs(screen: Terminal, values: Mapping[str, object]) -> None:
    screen.table([{"what": name, "found": value} for name, value in values.items()])
