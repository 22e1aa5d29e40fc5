"""The command `genrec`. Answers go to stdout, progress and errors to stderr; a failure is one line."""

from __future__ import annotations

import os
import random
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from genrec import doctor as examination
from genrec import insight, runner
from genrec.arguments import (
    Allow,
    AsJson,
    Count,
    Data,
    DemoOrData,
    Deny,
    Engine,
    InLanguage,
    Instruction,
    LanguageName,
    Model,
    Moment,
    OneItem,
    OneUser,
    PackName,
    StrategyName,
    Where,
    parse_context,
    parse_filter,
)
from genrec.authoring.commands import prompts
from genrec.authoring.samples import DEMO
from genrec.comparing import compare
from genrec.config import MOST_CANDIDATES, Config
from genrec.engine import DEFAULT_ENCODER, Adapted, Lora, cache_folder
from genrec.errors import EngineError, GenrecError, ModelError
from genrec.explain import alike
from genrec.fitting import fit
from genrec.importing import imports
from genrec.learn.commands import training
from genrec.learn.loading import adapter_in_production, find_model, load_adapter
from genrec.parts import build_retriever, hold_out
from genrec.prompting import Pack, load_pack, pack_folder
from genrec.recommender import DEFAULT_PACK, Recommender
from genrec.scene import Ask, Scene
from genrec.server import commands as serving
from genrec.store import (
    folder_pack,
    folder_weights,
    read_folder,
)
from genrec.terminal import Terminal, terminal
from retrieval import Context, Filter, Policy

_FOUNDING_CONTEXT = Context.model_validate({"time": "2023-08-05", "place": "Beijing", "device": "PC"})

_INTERRUPTED = 130
_SEED = 20261125

app = typer.Typer(
    help="Ranked items with reasons that are checked against evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(imports, name="import")
app.command("fit", epilog="Example: genrec fit --data films; then genrec fit --data films --ranking")(fit)
app.add_typer(prompts, name="prompt")
app.add_typer(training, name="train")
app.command(
    "serve",
    epilog="Example: genrec serve --data films; then curl -H 'Authorization: Bearer KEY' -H 'Content-Type: "
    'application/json\' -d \'{"user_id": "42"}\' http://127.0.0.1:8000/v1/recommend',
)(serving.serve)
app.add_typer(serving.keys, name="key")
app.add_typer(serving.tenants, name="tenant")
app.add_typer(serving.users, name="user")


@app.command(
    epilog="Example: genrec recommend --data films --user 42 --context place=Oslo --instruction 'a comedy'; "
    "with demo data: genrec recommend --pack shop --user 1001 --language zh"
)
def recommend(
    user: Annotated[list[str], typer.Option("--user", help="Whom to recommend to; may be given several times.")],
    data: DemoOrData = None,
    n: Count = 5,
    context: Moment = None,
    instruction: Instruction = "",
    where: Where = None,
    allow: Allow = None,
    deny: Deny = None,
    diversity: Annotated[float, typer.Option(min=0, max=1, help="From 0, the best scores, to 1, all different.")] = 0,
    explore: Annotated[int, typer.Option(min=0, help="Places for items that few have taken.")] = 0,
    strategy: Annotated[StrategyName, typer.Option(help="How the model is asked.")] = StrategyName.labels,
    candidates: Annotated[int, typer.Option(min=1, max=MOST_CANDIDATES, help="How many items the model ranks.")] = 20,
    permutations: Annotated[int, typer.Option(min=1, max=26, help="In how many orders it sees them.")] = 1,
    language: InLanguage = LanguageName.en,
    engine: Engine = None,
    model: Model = None,
    pack: PackName = None,
    adapter: Annotated[Path | None, typer.Option(help="One of genrec train; else that in production.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recommend items to users, with reasons."""
    moment, wanted = parse_context(context or []), parse_filter(where or [], allow, deny or [])
    config = _config(
        strategy=strategy.value,
        candidates=candidates,
        permutations=permutations,
        language=language.value,
        policy=Policy(diversity=diversity, explore=explore),
    )
    with terminal(log_file()) as screen:
        folder = _folder(data, pack)
        store = read_folder(folder)
        for user_id in user:
            store.user(user_id)  # an unknown one is said at once, not when the model has been loaded
        with _recommender(screen, folder, pack, engine, model, adapter, config) as recommender:
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


@app.command(epilog="Example: genrec explain --data films --user 42 --item heat-1995 --language zh")
def explain(
    user: OneUser,
    item: OneItem,
    data: DemoOrData = None,
    context: Moment = None,
    instruction: Instruction = "",
    language: InLanguage = LanguageName.en,
    engine: Engine = None,
    model: Model = None,
    pack: PackName = None,
    as_json: AsJson = False,
) -> None:
    """Say why an item suits a user, recommended or not, in a sentence that is checked against evidence."""
    moment = parse_context(context or [])
    with terminal(log_file()) as screen:
        folder = _folder(data, pack)
        store = read_folder(folder)
        store.user(user), store.item(item)
        with _recommender(screen, folder, pack, engine, model) as recommender:
            screen.status("explaining")
            found = recommender.explain(user, item, context=moment, instruction=instruction, language=language.value)
            screen.status("")
        if as_json:
            screen.json(found)
        else:
            screen.explanation(found)


@app.command("why-not", epilog="Example: genrec why-not --data films --user 42 --item heat-1995")
def why_not(
    data: Data,
    user: OneUser,
    item: OneItem,
    n: Count = 5,
    context: Moment = None,
    instruction: Instruction = "",
    where: Where = None,
    allow: Allow = None,
    deny: Deny = None,
    language: InLanguage = LanguageName.en,
    as_json: AsJson = False,
) -> None:
    """Say what keeps an item out of a user's first n: what is above it, and the signals that it lacks."""
    moment, wanted = parse_context(context or []), parse_filter(where or [], allow, deny or [])
    with terminal(log_file()) as screen:
        scene = _scene(screen, data, Ask(user, n, moment, instruction, wanted, language.value), [item])
        found = insight.why_not(scene, item)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            screen.why_not(found)


@app.command(epilog="Example: genrec contrast --data films --user 42 --item heat-1995 --with fargo-1996")
def contrast(
    data: Data,
    user: OneUser,
    item: OneItem,
    other: Annotated[str, typer.Option("--with", help="The item to compare it with.")],
    context: Moment = None,
    instruction: Instruction = "",
    language: InLanguage = LanguageName.en,
    as_json: AsJson = False,
) -> None:
    """Say what sets two items apart for a user, cause by cause."""
    ask = Ask(user, 1, parse_context(context or []), instruction, language=language.value)
    with terminal(log_file()) as screen:
        found = insight.contrast(_scene(screen, data, ask, [item, other]), item, other)
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            screen.contrast(found)


@prompts.command("eval", epilog="Example: genrec prompt eval --data films --a movies --b my-films")
@app.command("eval", epilog="Example: genrec eval --data films --a movies --b my-films")
def compare_prompts(
    data: Data,
    a: Annotated[str, typer.Option("--a", metavar="PACK", help="Name or folder of prompts.")],
    b: Annotated[str, typer.Option("--b", metavar="PACK", help="Those that are to be better.")],
    users: Annotated[int, typer.Option(min=2, help="How many users both answer, drawn with a seed.")] = 100,
    language: InLanguage = LanguageName.en,
    engine: Engine = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Ask two packs of prompts about the same users and items: which is better, by how much, and at what cost."""
    with terminal(log_file()) as screen:
        packs = load_pack(a), load_pack(b)  # a broken one is said before the model has been loaded
        known, cases = hold_out(read_folder(data))
        recommender = Recommender.from_store(
            known,
            engine=engine,
            model=model,
            weights=folder_weights(data),
            config=Config(language=language.value),
            status=screen.status,
        )
        drawn = random.Random(_SEED).sample(cases, min(users, len(cases)))
        with recommender:
            progress = partial(_say_progress, screen)
            found = runner.run(compare(recommender, *packs, drawn, progress))
        screen.status("")
        if as_json:
            screen.json(found)
        else:
            screen.comparison(found)


def _say_progress(screen: Terminal, done: int, of: int) -> None:
    screen.status(f"asking: {done} of {of} answers")


def _scene(screen: Terminal, data: Path, ask: Ask, items: list[str]) -> Scene:
    """A request without a language model; unknown users and items are said before anything is loaded."""
    store = read_folder(data)
    store.user(ask.user_id)
    for item in items:
        store.item(item)
    retriever = build_retriever(store, DEFAULT_ENCODER, screen.status, folder_weights(data))
    return Scene(store, retriever, Config(), ask)


def _folder(data: Path | None, pack: str | None) -> Path:
    """Where the data is: as named, or the demo of the pack."""
    if data is not None:
        return data
    if pack is None:
        raise typer.BadParameter("name a folder with --data, or a pack with --pack to take its demo data")
    return load_pack(pack).folder / DEMO


def _config(**settings: Any) -> Config:
    """Settings that do not go together are a usage error."""
    try:
        return Config(**settings)
    except ValidationError as error:
        raise typer.BadParameter(error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")) from error


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
        with _recommender(screen, films) as watching:
            _answer(screen, watching, Ask("maya", 5, Context(), "", Filter()), as_json=as_json)
            engine, encoder = watching.engine, watching.retriever.knowledge.encoder
            base = engine.base if isinstance(engine, Adapted) else engine  # what films teach is for films
            shopping = Recommender.from_folder(shop, engine=base, encoder=encoder, status=screen.status)
            _answer(screen, shopping, Ask("1001", 5, _FOUNDING_CONTEXT, "", Filter()), as_json=as_json)


def _recommender(
    screen: Terminal,
    data: Path,
    pack: str | None = None,
    engine: str | None = None,
    model: str | None = None,
    adapter: Path | None = None,
    config: Config | None = None,
) -> Recommender:
    """For a data folder, with the prompts and the adapter that are named, or those that belong to it."""
    words = load_pack(pack or folder_pack(data) or DEFAULT_PACK)
    lora = _adapter(screen, data, words, engine, model, adapter)
    return Recommender.from_folder(
        data, pack=words, engine=engine, model=model, adapter=lora, config=config, status=screen.status
    )


def _adapter(
    screen: Terminal, data: Path, pack: Pack, engine: str | None, model: str | None, folder: Path | None
) -> Lora | None:
    """The adapter that is named, or that in production beside the data; only for a model that runs here."""
    if folder is None:
        return None if engine else adapter_in_production(data, pack, model, screen.status, screen.note)
    if engine:
        raise ModelError(
            f"--adapter is for a model that runs here, not for the one at {engine}: leave --engine out, or let "
            "genrec serve --adapters load it there"
        )
    return load_adapter(folder, find_model(model, screen.status))


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
