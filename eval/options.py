"""Options that the commands of `eval` share, and what they open and write."""

from __future__ import annotations

import json
import random
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from eval.method import SEED, Status
from eval.methods import NAMES, Toolbox
from genrec.recommender import DEFAULT_PACK
from genrec.store import folder_pack
from retrieval.fit import Case

Data = Annotated[Path, typer.Option("--data", help="A data folder with sequences.tsv or events.")]
Lists = Annotated[Path, typer.Option("--candidates", help="A file: user_id, tab, item ids parted by spaces.")]
Names = Annotated[str, typer.Option("--methods", help=f"Parted by commas: {', '.join(NAMES)}.")]
First = Annotated[int | None, typer.Option("--limit", min=2, help="Only the first so many users of the file.")]
Drawn = Annotated[int | None, typer.Option("--limit", min=2, help="Only so many users, drawn with a seed.")]
Pack = Annotated[str | None, typer.Option("--pack", help="Prompts; else those that the data names.")]
Engine = Annotated[str | None, typer.Option("--engine", metavar="URL", help="A vLLM server instead of our own.")]
Model = Annotated[str | None, typer.Option(help="Hub id, folder or wheel:PACKAGE; else what suits the machine.")]
Out = Annotated[Path, typer.Option("--out", help="Where results go; what is there of the same run is used again.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")]

RESULTS = Path("eval/results")
RESULT = "result.json"


def listed(names: str) -> list[str]:
    """`pop, retriever` as a list."""
    return [name.strip() for name in names.split(",") if name.strip()]


def drawn(cases: Sequence[Case], limit: int | None, seed: int = SEED) -> Sequence[Case]:
    """So many cases, drawn with a seed; all of them for None."""
    return cases if limit is None else random.Random(seed).sample(list(cases), min(limit, len(cases)))


def toolbox(data: Path, pack: str | None, engine: str | None, model: str | None, status: Status) -> Toolbox:
    """Methods with the prompts that were named, or that the data names."""
    return Toolbox(pack or folder_pack(data) or DEFAULT_PACK, status, engine, model)


def command_line() -> str:
    """The command as it was given, without the path of a Python."""
    return shlex.join(["python", "-m", "eval", *sys.argv[1:]])


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """For `python -m eval report`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
