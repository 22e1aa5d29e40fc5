"""The command `genrec`. Answers go to stdout, progress and errors to stderr; a failure is one line."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from genrec import doctor as examination
from genrec._scene import Ask
from genrec.config import MOST_CANDIDATES, Config
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.errors import EngineError, GenrecError
from genrec.explain import alike
from genrec.parts import build_retriever, fit_weights
from genrec.prompting import pack_folder
from genrec.recommender import DEFAULT_PACK, Recommender
from genrec.store import folder_pack, folder_weights, import_movielens_100k, read_folder, save_weights
from genrec.terminal import Terminal, terminal
from retrieval import Between, Context, Filter, Policy, Weights
from retrieval.filters import Condition

_FOUNDING_CONTEXT = Context.model_validate({"time": "2023-08-05", "place": "Beijing", "device": "PC"})

_INTERRUPTED = 130

app = typer.Typer(
    help="Ranked items with reasons that are checked against evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
imports = typer.Typer(help="Turn a public data set into a data folder.", no_args_is_help=True)
app.add_typer(imports, name="import")


class StrategyName(StrEnum):
    """How the model is asked."""

    labels = "labels"
    json = "json"


Data = Annotated[Path, typer.Option("--data", help="Folder with items, and users and events where there are any.")]
Count = Annotated[int, typer.Option("--n", min=1, max=MOST_CANDIDATES, help="How many items.")]
Engine = Annotated[
    str | None, typer.Option("--engine", metavar="URL", help="A vLLM or OpenAI-compatible server instead of our own.")
]
Model = Annotated[str | None, typer.Option(help="Hub id, local folder or wheel:PACKAGE; else what suits the machine.")]
PackName = Annotated[str | None, typer.Option("--pack", help="Name or folder of prompts; else what the data names.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="NAME=VALUE", help="Only items with it; also NAME=THIS|THAT and NAME=LOW..HIGH."),
]
Allow = Annotated[list[str] | None, typer.Option("--allow", metavar="ITEM", help="Only these items.")]
Deny = Annotated[list[str] | None, typer.Option("--deny", metavar="ITEM", help="Never these items.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")]


@app.command(epilog="Example: genrec recommend --data films --user 42 --context place=Oslo --instruction 'a comedy'")
def recommend(
    data: Data,
    user: Annotated[list[str], typer.Option("--user", help="Whom to recommend to; may be given several times.")],
    n: Count = 5,
    context: Annotated[
        list[str] | None, typer.Option("--context", metavar="KEY=VALUE", help="time, place, device or any other field.")
    ] = None,
    instruction: Annotated[str, typer.Option(help="What the user asks for, in words.")] = "",
    where: Where = None,
    allow: Allow = None,
    deny: Deny = None,
    diversity: Annotated[float, typer.Option(min=0, max=1, help="From 0, the best scores, to 1, all different.")] = 0,
    explore: Annotated[int, typer.Option(min=0, help="Places for items that few have taken.")] = 0,
    strategy: Annotated[StrategyName, typer.Option(help="How the model is asked.")] = StrategyName.labels,
    engine: Engine = None,
    model: Model = None,
    pack: PackName = None,
    as_json: AsJson = False,
) -> None:
    """Recommend items to users, with reasons."""
    moment, wanted = parse_context(context or []), parse_filter(where or [], allow, deny or [])
    config = Config(strategy=strategy.value, policy=Policy(diversity=diversity, explore=explore))
    with terminal(log_file()) as screen:
        store = read_folder(data)
        for user_id in user:
            store.user(user_id)  # an unknown one is said at once, not when the model has been loaded
        recommender = Recommender.from_store(
            store,
            pack=pack or folder_pack(data) or DEFAULT_PACK,
            engine=engine,
            model=model,
            weights=folder_weights(data),
            config=config,
            status=screen.status,
        )
        with recommender:
            for user_id in user:
                _answer(screen, recommender, Ask(user_id, n, moment, instruction, wanted), as_json=as_json)


@app.command(epilog="Example: genrec similar --data films --item heat-1995")
def similar(
    data: Data,
    item: Annotated[str, typer.Option("--item", help="The item to start from.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many items.")] = 5,
    where: Where = None,
    allow: Allow = None,
    deny: Deny = None,
    as_json: AsJson = False,
) -> None:
    """List the items most like one item, and why. Starts no language model."""
    wanted = parse_filter(where or [], allow, deny or [])
    with terminal(log_file()) as screen:
        store = read_folder(data)
        start = store.item(item)
        retriever = build_retriever(store, DEFAULT_ENCODER, screen.status, folder_weights(data))
        found = retriever.similar(start.item_id, n, wanted)
        screen.status("")
        rows = [
            {
                "score": round(candidate.score, 4),
                "item_id": candidate.item.item_id,
                "title": candidate.item.title,
                "why": "; ".join(alike(candidate)),
            }
            for candidate in found
        ]
        if as_json:
            parts = [{part.signal: round(part.value, 4) for part in candidate.contributions} for candidate in found]
            rows = [{**row, "signals": signals} for row, signals in zip(rows, parts, strict=True)]
            screen.json({"item_id": start.item_id, "similar": rows})
        else:
            screen.table(rows)


@app.command(epilog="Example: genrec fit --data films")
def fit(data: Data, as_json: AsJson = False) -> None:
    """Fit the weights of the retrieval signals to what each user took last, and save them beside the data."""
    with terminal(log_file()) as screen:
        store = read_folder(data)
        fitted = fit_weights(store, DEFAULT_ENCODER, screen.status)
        path = save_weights(data, fitted.weights)
        screen.status("")
        if as_json:
            screen.json({"file": str(path), **fitted.model_dump()})
            return
        defaults = Weights().model_dump()
        screen.table(
            [
                {"weight": name, "fitted": value, "default": defaults[name]}
                for name, value in fitted.weights.model_dump().items()
            ]
        )
        screen.line(
            f"\nNDCG@10 on the {fitted.cases} held-out items that were fitted to: "
            f"{fitted.before:.4f} before, {fitted.after:.4f} after. Written to {path}."
        )


@imports.command("movielens-100k", epilog="Example: genrec import movielens-100k downloads/ml-100k films")
def movielens_100k(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder with ml-100k.item, .user and .inter.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The data folder to write; it must not exist yet.")],
    as_json: AsJson = False,
) -> None:
    """Import MovieLens 100K."""
    counts = import_movielens_100k(source, out)
    with terminal(log_file()) as screen:
        if as_json:
            screen.json({"folder": str(out), **counts})
        else:
            screen.line(f"{out}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


@app.command(epilog="Example: genrec doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has, what is missing, and the cure."""
    with terminal(log_file()) as screen:
        screen.status("looking at hardware, packages and models")
        findings = examination.examine()
        screen.status("")
        if as_json:
            screen.json(examination.as_json(findings))
        else:
            screen.table([{"topic": f.topic, "found": f.found, "missing: the cure": f.cure or ""} for f in findings])
    if any(finding.cure for finding in findings):
        raise typer.Exit(1)


@app.command(epilog="Example: genrec demo --json")
def demo(as_json: AsJson = False) -> None:
    """Recommend films to a film watcher and products to a shopper, from the data that ships with genrec."""
    with terminal(log_file()) as screen:
        films, shop = (pack_folder() / pack / "demo" for pack in ("movies", "shop"))
        with Recommender.from_folder(films, status=screen.status) as watching:
            _answer(screen, watching, Ask("maya", 5, Context(), "", Filter()), as_json=as_json)
            shopping = Recommender.from_folder(
                shop, engine=watching.engine, encoder=watching.retriever.knowledge.encoder, status=screen.status
            )
            _answer(screen, shopping, Ask("1001", 5, _FOUNDING_CONTEXT, "", Filter()), as_json=as_json)


def _answer(screen: Terminal, recommender: Recommender, ask: Ask, *, as_json: bool) -> None:
    """Ask for one user and show the answer."""
    screen.status(f"recommending to user {ask.user_id}")
    answer = recommender.recommend(
        ask.user_id, ask.n, context=ask.context, instruction=ask.instruction, filter=ask.filter
    )
    screen.status("")
    if as_json:
        screen.json(answer)
        return
    store = recommender.store
    titles = {item.item_id: item.title for item in store.items}
    screen.person(store.user(ask.user_id), store.history(ask.user_id), titles, ask.context)
    screen.recommendation(answer)


def parse_context(pairs: list[str]) -> Context:
    """`KEY=VALUE` pairs as a context; a bad one is a usage error that names it."""
    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals or not value:
            raise typer.BadParameter(f"{pair!r}: write --context KEY=VALUE, for example --context place=Beijing")
        fields[name] = value
    try:
        return Context.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise typer.BadParameter(
            f"{problem['loc'][0]}={problem['input']!r}: {problem['msg']}; a time reads 2023-08-05 or 2023-08-05T19:30"
        ) from error


def parse_filter(where: list[str], allow: list[str] | None, deny: list[str]) -> Filter:
    """`NAME=VALUE`, `NAME=THIS|THAT` and `NAME=LOW..HIGH` as a filter; a bad one is a usage error that names it."""
    conditions: dict[str, Condition] = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise typer.BadParameter(f"{text!r}: write --where NAME=VALUE, NAME=THIS|THAT or NAME=LOW..HIGH")
        try:
            conditions[name] = _condition(value)
        except ValidationError as error:
            raise typer.BadParameter(f"{text!r}: {error.errors(include_url=False)[0]['msg']}") from error
        except ValueError as error:
            raise typer.BadParameter(f"{text!r}: {error}") from error
    return Filter(where=conditions, allow=frozenset(allow) if allow else None, deny=frozenset(deny))


def _condition(value: str) -> Condition:
    low, dots, high = value.partition("..")
    if not dots:
        return tuple(value.split("|")) if "|" in value else value
    return Between(low=float(low) if low else None, high=float(high) if high else None)


def log_file() -> Path:
    """Where the lines of libraries go while a command runs."""
    return cache_folder() / "log.txt"


def main() -> None:
    """Run the command; a known error is one line on stderr and exit status 1."""
    try:
        app(prog_name="genrec")
    except GenrecError as error:
        more = f" (more in {log_file()})" if isinstance(error, EngineError) else ""
        _fail(f"{' '.join(str(error).split())}{more}", 1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer's way to end on Ctrl-C, without a word
            _fail("cancelled", _INTERRUPTED)
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read the answers has left
        sys.exit(1)


def _fail(message: str, status: int) -> None:
    sys.stderr.write(f"genrec: {message}\n")
    sys.exit(status)
