"""`python -m eval COMMAND`: quality, fairness and speed of every stage, and soundness of answers."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from eval.adapting import online, poison, variants
from eval.audit import read_answers, summary
from eval.bench import compare, device
from eval.bench_rank import compare as compare_ranking
from eval.cold import compare as compare_cold
from eval.crash import kill_repeatedly
from eval.learning import binding, phases, smaller, transfer
from eval.options import RESULTS, command_line, write_result
from eval.quality import candidates, rank, run
from eval.ranks import compare as compare_ranks
from eval.reasons import measure as measure_reasons
from eval.retrieval import measure
from eval.scrutiny import fair, memorised, page
from eval.service import commands as service
from eval.validity import count_invalid
from genrec.config import Config
from genrec.engine import DEFAULT_ENCODER, cache_folder, default_model, resolve
from genrec.errors import GenrecError
from genrec.parts import build_retriever
from genrec.prompting import pack_folder
from genrec.recommender import Recommender
from genrec.store import Store, read_folder
from genrec.terminal import terminal
from retrieval import Context, Event, Retriever

app = typer.Typer(help="Measures genrec.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Measures genrec."""


app.command(epilog="Example: python -m eval run --data films --methods pop,itemknn,retriever --json")(run)
app.command(epilog="Example: python -m eval rank --data films --candidates lists.tsv --methods pop,labels")(rank)
app.command(epilog="Example: python -m eval candidates --data films --users 200 lists.tsv")(candidates)
app.command(epilog="Example: python -m eval fair --data films --methods retriever,labels --users 100")(fair)
app.command("memory", epilog="Example: python -m eval memory --data films --candidates lists.tsv")(memorised)
app.command("service-outage", epilog="Example: python -m eval service-outage --requests 200")(service.outage)
app.command("adapter-swaps", epilog="Example: python -m eval adapter-swaps --swaps 50")(service.swaps)
app.command("service-contract", epilog="Example: python -m eval service-contract --json")(service.contract)
app.command("service-isolation", epilog="Example: python -m eval service-isolation")(service.isolation)
app.command("service-pages", epilog="Example: python -m eval service-pages --json")(service.pages)
app.command("service-crash", epilog="Example: python -m eval service-crash --only sqlite")(service.crash)
app.command("service-load", epilog="Example: python -m eval service-load --rounds 5")(service.load)
app.command(epilog="Example: python -m eval poison --data films --share 0.01 --share 0.05")(poison)
app.command(epilog="Example: python -m eval variants --lists 5000 --seeds 20")(variants)
app.command(epilog="Example: python -m eval binding --data films")(binding)
app.command(epilog="Example: python -m eval phases --data films --seeds 3")(phases)
app.command(epilog="Example: python -m eval transfer --adapter films/adapters/VERSION --data beauty --few 300")(
    transfer
)
app.command(epilog="Example: python -m eval online --data films")(online)
app.command(epilog="Example: python -m eval smaller --data films --scheme int8 --adapter films/adapters/VERSION")(
    smaller
)
app.command("report", epilog="Example: python -m eval report eval/results/*/result.json --out report.html")(page)


@app.command(epilog="Example: python -m eval bench --rounds 5 --json")
def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often both strategies answer all users.")] = 3,
    users: Annotated[int, typer.Option(min=2, help="How many users ask, all at once.")] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Time both ranking strategies side by side: 20 candidates, 5 shown items, the demo films."""
    with terminal(cache_folder() / "log.txt") as screen:
        with Recommender.from_folder(pack_folder() / "movies" / "demo", status=screen.status) as recommender:
            screen.status("measuring")
            result = compare(recommender, users, rounds, screen.status)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        screen.line(f"{device()}; model {result['model']}; {users} users, {rounds} rounds, medians (minimum-maximum)")
        screen.line()
        screen.table(result["rows"])
        screen.line()
        for case, ratio in result["labels_to_json"].items():
            screen.line(f"Rankings a second, labels : JSON, {case} = {ratio:.1f} : 1")


@app.command("bench-rank", epilog="Example: make bench-rank")
def bench_rank(
    data: Annotated[Path, typer.Option("--data", help="MovieLens 100K as a data folder.")],
    rank_llm: Annotated[Path | None, typer.Option(help="The Python of an environment that has rank-llm.")] = None,
    users: Annotated[int, typer.Option(min=2, help="How many users ask, all at once.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way is measured.")] = 3,
    out: Annotated[Path, typer.Option(help="Where the figures are written, as JSON.")] = Path("eval/results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Time ranking by labels against the bare engine, JSON lists and rank-llm, on the same candidates."""
    with terminal(cache_folder() / "log.txt") as screen:
        with Recommender.from_folder(data, status=screen.status) as recommender:
            result = compare_ranking(recommender, users, rounds, rank_llm, screen.status)
        screen.status("")
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench-rank.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        if as_json:
            screen.json(result)
            return
        sizes = f"{users} users at once, 20 candidates, {rounds} rounds, medians (minimum-maximum)"
        screen.line(f"{result['device']}; model {result['model']}; {sizes}")
        screen.line()
        screen.table(result["rows"])
        screen.line()
        for name, ratio in result["ratios"].items():
            screen.line(f"{name} {ratio:.2f}")
        screen.line("explaining: " + ", ".join(f"{name} {value:g}" for name, value in result["explaining"].items()))
        screen.line(f"rank-llm: {result['rank_llm']}")


@app.command(epilog="Example: python -m eval ranks --data films --users 100")
def ranks(
    data: Annotated[Path, typer.Option("--data", help="A data folder with events.")],
    users: Annotated[int, typer.Option(min=2, help="How many users; each has one hidden item.")] = 200,
    others: Annotated[bool, typer.Option("--others", help="Also ask item by item and pair by pair.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Compare the model's ranking with chance and its retriever; show what places in the prompt do; fit its weight."""
    with terminal(cache_folder() / "log.txt") as screen:
        found = compare_ranks(data, users, screen.status, others=others)
        result = {"kind": "ranks", "command": command_line(), **found}
        write_result(RESULTS / f"ranks-{data.resolve().name}", result)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        sizes = f"{result['users']} users, {result['candidates']} candidates"
        screen.line(f"{result['data']}: {sizes}; model {result['model']}; NDCG x 100")
        screen.line()
        for table in (result["rows"], result["bias"]["spread"], result["bias"]["curve"]):
            screen.table(table)
            screen.line()
        screen.line(f"standard deviation of mean ranks where places do not matter: {result['bias']['expected_sd']}")
        screen.line(f"weight: {result['weight']}")


@app.command(epilog="Example: python -m eval hostile --inputs 100000 --seconds 60")
def hostile(
    inputs: Annotated[int, typer.Option(min=1, help="How many texts are generated.")] = 100_000,
    seconds: Annotated[int, typer.Option(min=1, help="How long texts are looked for by coverage.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Feed the parser of model answers named, generated and guided hostile texts; fails if one breaks it."""
    from eval.hostile import attack  # hypothesis and atheris come with the tests

    with terminal(cache_folder() / "log.txt") as screen:
        result = attack(inputs, seconds, screen.status)
        screen.status("")
        if as_json:
            screen.json(result)
        else:
            screen.table(result["named"])
            screen.line()
            for name in ("generated", "guided", "slowest_ms", "within_100_ms"):
                screen.line(f"{name}: {result[name]}")


@app.command(epilog="Example: python -m eval reasons --data films --users 100")
def reasons(
    data: Annotated[Path, typer.Option("--data", help="A data folder with events.")],
    users: Annotated[int, typer.Option(min=2, help="How many users; each gets five items with reasons.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Measure reasons: citations, necessity of what they cite, reasons on the wrong item, and how they read."""
    with terminal(cache_folder() / "log.txt") as screen:
        patient = Config(deadline_s=3600, on_failure="raise")
        with Recommender.from_folder(data, config=patient, status=screen.status) as recommender:
            latest = max(
                (e.timestamp for u in recommender.store.user_ids for e in recommender.store.history(u) if e.timestamp),
                default=None,
            )
            result = measure_reasons(recommender, users, Context(time=latest), screen.status)
        screen.status("")
        if as_json:
            screen.json({"data": data.name, **result})
            return
        screen.line(f"{data.name}: {result['users']} users, 5 items each; model {result['model']}")
        for name in ("citations", "necessity"):
            screen.line()
            screen.table([{name: key, "": value} for key, value in result[name].items()])
        for name in ("swap", "readability", "refusals"):
            screen.line()
            screen.table(result[name])


@app.command(epilog="Example: python -m eval validity --data films --requests 2000")
def validity(
    data: Annotated[Path, typer.Option("--data", help="A data folder with events.")],
    requests: Annotated[int, typer.Option(min=2, help="How many, half of them by each strategy.")] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Count invalid ids, and what had to be repaired, over real requests; the exit status is 1 if an id is invalid."""
    with terminal(cache_folder() / "log.txt") as screen:
        with Recommender.from_folder(data, status=screen.status) as recommender:
            result = count_invalid(recommender, requests, screen.status)
        screen.status("")
        if as_json:
            screen.json({"data": data.name, **result})
        else:
            screen.line(f"{data.name}: model {result['model']}")
            screen.table(result["rows"])
        if result["invalid_ids"]:
            raise typer.Exit(1)


@app.command(epilog="Example: python -m eval retrieval --data films --tables")
def retrieval(
    data: Annotated[Path, typer.Option("--data", help="A data folder with sequences.tsv or events.")],
    tables: Annotated[bool, typer.Option("--tables", help="Also each signal's and each policy's part.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Fit the retriever to validation items and rank the whole catalogue for every user's last item."""
    with terminal(cache_folder() / "log.txt") as screen:
        store = read_folder(data)
        result = measure(store, DEFAULT_ENCODER, screen.status, tables=tables)
        screen.status("")
        if as_json:
            screen.json({"data": data.name, **result})
            return
        screen.line(f"{data.name}: {result['users']} users, {result['items']} items, all ranked, met ones masked")
        screen.line()
        screen.table([{"metric": name, "value": value} for name, value in result["metrics"].items()])
        screen.line(f"ndcg@10, 95% over users: {result['interval']}")
        for table in ("signals", "policies"):
            if table in result:
                screen.line()
                screen.table(result[table])
        screen.line()
        screen.line("weights: " + ", ".join(f"{key} {value:g}" for key, value in result["weights"].items()))


@app.command(epilog="Example: python -m eval cold --data films")
def cold(
    data: Annotated[Path, typer.Option("--data", help="A data folder with users' attributes and events.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Rank for users of whom only attributes are known, and with somebody else's attributes as a control."""
    with terminal(cache_folder() / "log.txt") as screen:
        store = read_folder(data)
        result = compare_cold(store, _builder(store, screen.status), screen.status)
        screen.status("")
        if as_json:
            screen.json({"data": data.name, **result})
            return
        screen.line(f"{data.name}: {result['users']} users, history hidden; NDCG@10 of the first and of all takes")
        screen.line()
        screen.table(result["rows"])


@app.command(epilog="Example: python -m eval index --items 1000000")
def index(
    items: Annotated[int, typer.Option(min=10_000, help="How many vectors of 384 numbers.")] = 1_000_000,
    queries: Annotated[int, typer.Option(min=2, help="How many searches for the nearest hundred.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Time the indexes side by side with raw FAISS, at measured recall, with and without a narrow filter."""
    from eval.index import compare as compare_indexes  # faiss comes with the tests

    with terminal(cache_folder() / "log.txt") as screen:
        result = compare_indexes(items, queries, screen.status)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        sizes = f"{result['items']} x {result['dimensions']}, the nearest {result['k']}, {result['queries']} queries"
        screen.line(f"{device()}; {sizes}")
        for table in ("build", "search"):
            screen.line()
            screen.table(result[table])


@app.command(epilog="Example: python -m eval training --layers 2 --layers 4 --layers 30")
def training(
    layers: Annotated[list[int], typer.Option(min=1, help="How many of the last layers are trained.")],
    tokens: Annotated[int, typer.Option(min=1, help="Of each prompt.")] = 350,
    prompts: Annotated[int, typer.Option(min=1, help="How many are timed.")] = 4,
    model: Annotated[str | None, typer.Option(help="Hub id, local folder or wheel:PACKAGE.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Time the training of an adapter by the number of layers that are trained."""
    from eval.training import measure as measure_training  # peft comes with genrec[train]

    with terminal(cache_folder() / "log.txt") as screen:
        name = model or default_model()
        rows = measure_training(resolve(name, screen.status), tokens, layers, prompts, screen.status)
        screen.status("")
        if as_json:
            screen.json({"device": device(), "model": name, "tokens": tokens, "rows": rows})
            return
        screen.line(f"{device()}; {name}; prompts of {tokens} tokens, {prompts} of them")
        screen.line()
        screen.table(rows)


@app.command(epilog="Example: python -m eval crash --kills 200")
def crash(
    kills: Annotated[int, typer.Option(min=1, help="How often the writing process is killed.")] = 200,
) -> None:
    """Kill a process in the middle of upserts and swaps of the index; what it said was done must be there."""
    with tempfile.TemporaryDirectory() as folder:
        typer.echo(json.dumps(kill_repeatedly(Path(folder), kills)))


def _builder(store: Store, status: Callable[[str], None]) -> Callable[[Sequence[Event]], Retriever]:
    """Makes retrievers of the same items and users with other events."""

    def build(events: Sequence[Event]) -> Retriever:
        users = [store.user(user_id) for user_id in store.user_ids]
        return build_retriever(Store(store.items, users, events), DEFAULT_ENCODER, status)

    return build


@app.command(epilog="Example: python -m eval audit --data films answers.jsonl")
def audit(
    answers: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Answers without context, one JSON object a line.")
    ],
    data: Annotated[Path, typer.Option("--data", help="The data folder that they were made from.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many items each should have.")] = 5,
) -> None:
    """Check answers of `genrec recommend --json`; the exit status is 1 if one of them is not sound."""
    store = read_folder(data)
    result = summary(read_answers(answers), store, n)
    typer.echo(json.dumps(result, ensure_ascii=False))
    raise typer.Exit(1 if result["problems"] else 0)


if __name__ == "__main__":
    try:
        app(prog_name="python -m eval")
    except GenrecError as error:
        sys.exit(f"eval: {error}")
