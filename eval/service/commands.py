"""`python -m eval service-...`: what the service promises, measured from outside."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from eval.options import AsJson
from eval.service import outage as outages
from genrec.engine import cache_folder
from genrec.terminal import terminal


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
            screen.table([{"what": name, "found": value} for name, value in found.model_dump().items()])
