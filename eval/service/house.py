"""A service in a process of its own: the real application on a loopback port, with a scripted engine.

`python -m eval.service.house PLAN` is that process, PLAN being JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.service.hasty import HastyDatabase
from genrec.config import Config
from genrec.server.logs import begin_logging
from genrec.server.running import run
from genrec.server.service import Service
from genrec.server.settings import Settings
from genrec.store import Store
from genrec.store.database import Database, Scope
from genrec.testing import FakeEncoder, ScriptedEngine

SCOPES: tuple[Scope, ...] = ("read", "write", "admin")
UNLIMITED = 10**9
LOG = "log.jsonl"
_LISTENS = "listening on "


@dataclass(frozen=True)
class Plan:
    """What a process serves and how. `hasty`: it acknowledges before it writes, as no service may."""

    database: str
    delay_s: float = 0.0
    explain: bool = True
    deadline_s: float = 60.0
    concurrency: int = 8
    queue: int = 64
    rate: int = UNLIMITED
    hasty: bool = False


@dataclass(frozen=True)
class House:
    """A running service: where it listens, and its process, which may be killed."""

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """As a machine does that loses its power: nothing is finished."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def furnish(url: str, store: Store, tenants: Sequence[str] = ("default",), pack: str = "general") -> dict[str, str]:
    """Make tenants with the same items, users and events: a key for everything for each of them."""
    database = Database.open(url)
    try:
        return {name: _furnish(database, name, store, pack) for name in tenants}
    finally:
        database.close()


@contextmanager
def opened(plan: Plan, folder: Path, core: int | None = None) -> Iterator[House]:
    """Start a service that keeps its log and caches in a folder, wait until it listens, and end it.

    `core`: the only one that it runs on.

    Raises:
        RuntimeError: it does not start.
    """
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    command = [*pinned, sys.executable, "-m", "eval.service.house", json.dumps(asdict(plan))]
    with (
        (folder / LOG).open("a", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "GENREC_CACHE": str(folder / "cache")},
        ) as process,
    ):
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.startswith(_LISTENS):
                raise RuntimeError(f"the service did not start: see {folder / LOG}")
            yield House(said.removeprefix(_LISTENS).strip(), process)
        finally:
            process.kill()


def bearer(secret: str) -> dict[str, str]:
    """The headers that carry a key."""
    return {"Authorization": f"Bearer {secret}"}


def _furnish(database: Database, name: str, store: Store, pack: str) -> str:
    tenant = database.create_tenant(name, pack=pack)
    tenant.put_items(store.items)
    tenant.put_users([store.user(user_id) for user_id in store.user_ids])
    tenant.add_events(store.events)
    return database.add_key(name, "all", SCOPES)


def _serve(plan: Plan) -> None:
    begin_logging(sys.stderr)
    kind = HastyDatabase if plan.hasty else Database
    service = Service(
        kind.open(plan.database, timeout_s=2),
        ScriptedEngine(delay_s=plan.delay_s),
        FakeEncoder(),
        config=Config(model_weight=1.0, explain=plan.explain, deadline_s=plan.deadline_s),
        settings=Settings(concurrency=plan.concurrency, queue=plan.queue, rate=plan.rate),
    )
    run(service, "127.0.0.1", 0, lambda line: print(line, flush=True))  # noqa: T201


if __name__ == "__main__":
    _serve(Plan(**json.loads(sys.argv[1])))
