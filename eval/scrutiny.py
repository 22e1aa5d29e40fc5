"""`python -m eval fair | memory | report`: whom a method serves how, what a model remembers, all of it on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eval import candidates as lists
from eval import fairness, memory, report
from eval.method import Catalogue, Status
from eval.methods import Toolbox
from eval.methods.model import Asker
from eval.methods.retriever import Prepared
from eval.options import (
    RESULTS,
    AsJson,
    Data,
    Engine,
    First,
    Lists,
    Model,
    Names,
    Out,
    Pack,
    command_line,
    drawn,
    listed,
    toolbox,
    write_result,
)
from eval.protocols import Training, leave_one_out
from genrec.engine import cache_folder
from genrec.errors import DataError
from genrec.store import read_folder
from genrec.terminal import terminal


def fair(
    data: Data,
    methods: Names = "retriever",
    users: Annotated[int, typer.Option(min=2, help="How many, drawn with a seed.")] = 200,
    provider: Annotated[str | None, typer.Option(help="The attribute of items that says who provides them.")] = None,
    pack: Pack = None,
    engine: Engine = None,
    model: Model = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Swap attributes of users, compare groups of users, and show which items get the places."""
    with terminal(cache_folder() / "log.txt") as screen:
        store, name = read_folder(data), data.resolve().name
        split = leave_one_out(store)
        cases = drawn(split.test, users)
        if not any(case.query.user.attributes for case in cases):
            raise DataError(f"{data}: no user has attributes: add users.jsonl with some")
        catalogue = Catalogue(split.training, split.training.everything)
        found: dict[str, Any] = {}
        with toolbox(data, pack, engine, model, screen.status) as tools:
            for method in listed(methods):
                ranker = _personal(tools, method, split.training, screen.status)
                answers = ranker.rank(cases, None, 10, screen.status)
                if failed := sum(not one.item_ids for one in answers.ranked):
                    raise DataError(f"{method} ranked nothing for {failed} of {len(cases)} users: mend that first")
                found[method] = {
                    "swaps": fairness.swaps(ranker, split.training, cases, screen.status),
                    "groups": fairness.groups(answers, cases),
                    "exposure": fairness.exposure(answers.ranked, catalogue, provider),
                }
        about = {"kind": "fair", "data": name, "command": command_line(), "protocol": split.protocol}
        result = {**about, "users": len(cases), "items": len(store.items), "methods": found}
        write_result(out / f"fair-{name}", result)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        screen.line(f"{name}: {len(cases)} users; intervals are 95% over users")
        for method, parts in found.items():
            for rows in filter(None, parts.values()):
                screen.line()
                screen.table([{"method": method, **row} for row in rows])


def memorised(
    data: Data,
    candidates: Lists,
    method: Annotated[str, typer.Option(help="One that asks the model: labels, labels-4, json, ...")] = "labels",
    limit: First = None,
    pack: Pack = None,
    engine: Engine = None,
    model: Model = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Take titles and history out of the prompt, to see what the model knows without them."""
    with terminal(cache_folder() / "log.txt") as screen:
        store, name = read_folder(data), data.resolve().name
        split, cases, pools = lists.questions(candidates, store, limit)
        with toolbox(data, pack, engine, model, screen.status) as tools:
            ranker = _personal(tools, method, split.training, screen.status)
            if not isinstance(ranker, Asker):
                raise DataError(f"{method!r} asks no model: name labels, labels-4 or json")
            rows = memory.measure(ranker, cases, pools, screen.status)
        about = {"kind": "memory", "data": name, "command": command_line(), "protocol": split.protocol}
        result = {**about, "users": len(cases), "items": len(store.items), "method": method, "rows": rows}
        write_result(out / f"memory-{name}", result)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        screen.line(f"{name}: {method}, {len(cases)} users; intervals are 95% over users")
        screen.line()
        screen.table(rows)


def page(
    results: Annotated[list[Path], typer.Argument(help="result.json of run, rank, fair and memory.")],
    out: Annotated[Path, typer.Option("--out", help="The page; the same as JSON is written beside it.")],
) -> None:
    """Put results on one self-contained page with plots."""
    count = report.write(results, out)
    typer.echo(f"{out} and {out.with_suffix('.json')}: {count} results")


def _personal(tools: Toolbox, name: str, training: Training, status: Status) -> Prepared | Asker:
    [method] = tools.methods([name])
    ranker, _ = method.prepare(training, status)
    if not isinstance(ranker, Prepared | Asker):
        raise DataError(f"{name!r} looks at no attributes: name retriever, labels, labels-4, json or fused")
    return ranker
