"""`python -m eval run | rank | candidates`: methods side by side on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from eval import candidates as lists
from eval import published
from eval.keeping import Keeper, fingerprint
from eval.method import SEED
from eval.methods import Toolbox
from eval.options import (
    RESULTS,
    AsJson,
    Data,
    Drawn,
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
from eval.protocols import Split, last_items, leave_one_out, temporal
from eval.run import LIKED, Measured, evaluate, summary
from genrec.engine import cache_folder
from genrec.prompting import load_pack
from genrec.store import Store, read_folder
from genrec.terminal import Terminal, terminal
from retrieval.fit import Case

_TABLE = ("hr@10", "ndcg@10", "mrr")
_LISTS = ("coverage@10", "long_tail@10", "novelty@10", "popularity@10", "diversity@10", "gini@10")


class Protocol(StrEnum):
    """What is hidden."""

    leave_one_out = "leave-one-out"
    temporal = "temporal"


_PROTOCOLS = {Protocol.leave_one_out: leave_one_out, Protocol.temporal: temporal}


@dataclass(frozen=True)
class _Questions:
    """What all methods are asked, and where the answers go."""

    kind: str
    data: str
    store: Store
    split: Split
    cases: Sequence[Case]
    pools: Sequence[Sequence[str]] | None
    folder: Path

    def fingerprint(self, tools: Toolbox) -> str:
        """Of everything that decides how they are answered."""
        known = [repr(event) for event in self.store.events]
        known += [item.model_dump_json() for item in self.store.items]
        known += [self.store.user(user_id).model_dump_json() for user_id in self.store.user_ids]
        asked = [f"{case.query.user.user_id} {case.target}" for case in self.cases]
        asked += [" ".join(pool) for pool in self.pools or ()]
        prompts = load_pack(tools.pack).version  # a pack outside of the project changes without its code
        return fingerprint(
            [
                self.split.protocol,
                f"people {self.store.people}",
                *known,
                *asked,
                prompts,
                str(tools.engine),
                str(tools.model),
            ]
        )


def run(
    data: Data,
    methods: Names = "pop,bm25,itemknn,als,bpr,sasrec,sasrec-ce,retriever",
    protocol: Annotated[Protocol, typer.Option(help="What is hidden.")] = Protocol.leave_one_out,
    limit: Drawn = None,
    pack: Pack = None,
    engine: Engine = None,
    model: Model = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Rank the whole catalogue for every user's hidden item; methods of the model rank what the retriever finds."""
    with terminal(cache_folder() / "log.txt") as screen:
        store, name = read_folder(data), data.resolve().name
        split = _PROTOCOLS[protocol](store)
        folder = out / f"run-{name}-{protocol.value}"
        questions = _Questions("run", name, store, split, drawn(split.test, limit), None, folder)
        with toolbox(data, pack, engine, model, screen.status) as tools:
            _measure(screen, questions, tools, listed(methods), as_json=as_json)


def rank(
    data: Data,
    candidates: Lists,
    methods: Names = "pop,itemknn,retriever",
    limit: First = None,
    pack: Pack = None,
    engine: Engine = None,
    model: Model = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Rank given candidates for the last item of each user's sequence."""
    with terminal(cache_folder() / "log.txt") as screen:
        store, name = read_folder(data), data.resolve().name
        split, cases, pools = lists.questions(candidates, store, limit)
        folder = out / f"rank-{name}-{candidates.stem}"
        questions = _Questions("rank", name, store, split, cases, pools, folder)
        with toolbox(data, pack, engine, model, screen.status) as tools:
            _measure(screen, questions, tools, listed(methods), as_json=as_json)


def candidates(
    data: Data,
    out: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    size: Annotated[int, typer.Option(min=2, help="Items in a list, the hidden one included.")] = 20,
    users: Annotated[int | None, typer.Option(min=2, help="So many users, drawn with the seed; else all.")] = None,
    by: Annotated[lists.Draw, typer.Option(help="How the others are drawn.")] = "uniform",
    seed: Annotated[int, typer.Option(help="Of all draws.")] = SEED,
) -> None:
    """Freeze candidate lists: the last item of each user's sequence among others that the user never met."""
    with terminal(cache_folder() / "log.txt") as screen:
        store = read_folder(data)
        split = last_items(store, [user_id for user_id in store.user_ids if len(store.history(user_id)) > 1])
        cases = drawn(split.test, users, seed)
        lists.write(out, cases, lists.draw(split, cases, size, by, seed=seed))
        screen.line(f"{out}: {len(cases)} lists of {size}, seed {seed}")


def _measure(screen: Terminal, asked: _Questions, tools: Toolbox, names: Sequence[str], *, as_json: bool) -> None:
    methods = tools.methods(names)
    keeper = Keeper(asked.folder, asked.fingerprint(tools))
    found = evaluate(asked.split, methods, asked.cases, asked.pools, keeper, screen.status)
    sizes = None if asked.pools is None else [len(pool) for pool in asked.pools]
    result: dict[str, Any] = {
        "kind": asked.kind,
        "data": asked.data,
        "command": command_line(),
        **summary(asked.split, asked.cases, found, sizes=sizes),
        "folder": str(asked.folder),
    }
    if asked.pools is None:
        told = published.popularity_with_a_leak(asked.store, asked.split, asked.cases)
        result["popularity with the hidden items counted"] = told
        result["published"] = published.beside(result)
    write_result(asked.folder, result)
    _write_users(asked.folder / "users.tsv", asked.cases, found)
    screen.status("")
    if as_json:
        screen.json(result)
    else:
        _show(screen, result)


def _write_users(path: Path, cases: Sequence[Case], found: Mapping[str, Measured]) -> None:
    """One line for each user and method: the place of the hidden item, 0 where it was not found."""
    lines = ["user_id\titem_id\tmethod\tplace\tndcg@10\thr@10"]
    for name, one in found.items():
        for number, case in enumerate(cases):
            ids = list(one.kept.ranked[number].item_ids)
            place = ids.index(case.target) + 1 if case.target in ids else 0
            figures = f"{one.users['ndcg@10'][number]:.5f}\t{one.users['hr@10'][number]:.0f}"
            lines.append(f"{case.query.user.user_id}\t{case.target}\t{name}\t{place}\t{figures}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _show(screen: Terminal, result: Mapping[str, Any]) -> None:
    screen.line(f"{result['data']}: {result['protocol']}, {result['users']} users, {result['items']} items")
    screen.line()
    methods = result["methods"]
    screen.table([{"method": name, **_quality(one)} for name, one in methods.items()])
    screen.line()
    spread = {name: {figure: one["lists"].get(figure, "-") for figure in _LISTS} for name, one in methods.items()}
    screen.table([{"method": name, **figures} for name, figures in spread.items()])
    screen.line()
    for name, one in methods.items():
        said = {**one["chosen"], **{key: round(value, 4) for key, value in one["rates"].items()}, **one["seconds"]}
        screen.line(f"{name}: " + ", ".join(f"{key} {value}" for key, value in said.items()))
    if told := result.get("popularity with the hidden items counted"):
        figures = ", ".join(f"{figure} {value:.4f}" for figure, value in told.items())
        screen.line(f"\npopularity with the hidden items counted, which is a leak and often published: {figures}")
    if result.get("published"):
        screen.line()
        screen.table(result["published"])
    screen.line(f"\nWritten to {result['folder']}; intervals are 95% over users, verdicts hold after correction.")


def _quality(one: Mapping[str, Any]) -> dict[str, str]:
    row = {}
    for figure in _TABLE if LIKED not in one else (*_TABLE[:2], LIKED):
        low, high = one[f"{LIKED}, interval"] if figure == LIKED else one["intervals"][figure]
        row[figure] = f"{one[figure]:.4f} ({low:.4f}-{high:.4f})"
    versus = next((key for key in one if key.startswith("against ")), "")
    if versus:
        pair = one[versus]
        row[versus] = f"{pair['ndcg@10 difference']:+.4f} p {pair['p, corrected']:.4f} {pair['verdict']}"
    return row
