"""schemathesis with all its checks against `/openapi.json` of a running service, signed in with a key for everything.

Examples, boundaries, random requests that the description allows or forbids, and sequences of requests. What its
settings let pass, and why, stands in `schemathesis.toml` and `hooks.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from eval.method import Status
from eval.service.house import House, Plan, bearer, furnish, opened
from genrec.testing import tiny_store

_SETTINGS = Path(__file__).with_name("schemathesis.toml")
_ROOT = Path(__file__).parents[2]
_SEED = 20261125
_LISTS = 5
_SLOW_S = 1800


class Contract(BaseModel):
    """What schemathesis found. `failures`: how often each check failed; `said`: its report, where one did."""

    version: str
    operations: int
    cases: int
    accepted: int
    failures: dict[str, int]
    said: str


def check(examples: int, folder: Path, status: Status, phases: Sequence[str] = ()) -> Contract:
    """Run it: so many random requests an operation, all phases or some.

    Raises:
        RuntimeError: it did not get to its end.
    """
    plan = Plan(f"sqlite:///{folder / 'genrec.sqlite'}")
    secret = furnish(plan.database, tiny_store())["default"]
    status("checking the service against its description")
    with opened(plan, folder) as house:
        settings = folder / "schemathesis.toml"
        settings.write_text(_SETTINGS.read_text().replace("LISTS", json.dumps(_given(house, secret))))
        command = [
            str(Path(sys.executable).with_name("st")),
            f"--config-file={settings}",
            "run",
            f"{house.address}/openapi.json",
            "--checks=all",
            f"--header=Authorization: Bearer {secret}",
            f"--max-examples={examples}",
            f"--seed={_SEED}",
            f"--report-json-path={folder / 'report.json'}",
            *([f"--phases={','.join(phases)}"] if phases else []),
        ]
        return _run(command, folder)


def _given(house: House, secret: str) -> list[str]:
    """Ids of lists that are there, which no schema knows."""
    with httpx.Client(base_url=house.address, headers=bearer(secret)) as client:
        answers = [client.post("/v1/recommend", json={"user_id": "ann"}) for _ in range(_LISTS)]
    return [answer.json()["id"] for answer in answers]


def _run(command: Sequence[str], folder: Path) -> Contract:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "NO_COLOR": "1"}
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SLOW_S, check=False
    )
    report = folder / "report.json"
    if not report.exists():
        raise RuntimeError(f"schemathesis did not run: {(done.stdout + done.stderr)[-2000:]}")
    return _read(json.loads(report.read_text()), done.stdout)


def _read(found: dict[str, Any], said: str) -> Contract:
    if not found["complete"] or found["errors"] or found["operations"]["tested"] < found["operations"]["total"]:
        raise RuntimeError(f"schemathesis did not test everything: {said[-2000:]}")
    failures = {kind["title"]: kind["count"] for kind in found["failures"]}
    accepted = sum(counts["accepted"] for phases in found["valid_rates"].values() for counts in phases.values())
    return Contract(
        version=found["schemathesis_version"],
        operations=found["operations"]["tested"],
        cases=found["test_cases"]["generated"],
        accepted=accepted,
        failures=failures,
        said=said if failures else "",
    )
