"""`python -m eval bench | ranks | audit`: what the strategies cost, how well they rank, whether answers are sound."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from eval.audit import read_answers, summary
from eval.bench import compare, device
from eval.ranks import compare as compare_ranks
from genrec.engine import cache_folder
from genrec.errors import GenrecError
from genrec.prompting import pack_folder
from genrec.recommender import Recommender
from genrec.store import read_folder
from genrec.terminal import terminal

app = typer.Typer(help="Measures genrec.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Measures genrec."""


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


@app.command(epilog="Example: python -m eval ranks --data films --users 100")
def ranks(
    data: Annotated[Path, typer.Option("--data", help="A data folder with events.")],
    users: Annotated[int, typer.Option(min=2, help="How many users; each has one hidden item.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Compare the model's ranking with chance and with its own retriever."""
    with terminal(cache_folder() / "log.txt") as screen:
        result = compare_ranks(data, users, screen.status)
        screen.status("")
        if as_json:
            screen.json(result)
            return
        sizes = f"{result['users']} users, {result['candidates']} candidates"
        screen.line(f"{result['data']}: {sizes}; model {result['model']}; NDCG x 100")
        screen.line()
        screen.table(result["rows"])


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
