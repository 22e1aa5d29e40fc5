"""Adapters are promoted and taken back under a running service: which of them made each answer meanwhile.

A real `genrec serve` process with the real model, adapters that nobody trained, and clients over HTTP that ask all the
time, every second one for a stream, about a catalogue so small that prompts are short: on a CPU adapters cost vLLM much
time for each token. What ranked when is read from the log of the service.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from pydantic import BaseModel

from eval.method import Status
from eval.service.house import bearer
from eval.service.processes import free_port, running_genrec, running_vllm
from eval.service.untrained import promote, stock
from genrec.engine import default_model
from genrec.learn.loading import find_model
from genrec.learn.shelf import NOTHING, Shelf
from genrec.store import write_folder
from genrec.testing import tiny_store

_CLIENTS = 2
_PATIENCE_S = 120
"""For the first answer by an adapter that was promoted."""


@dataclass(frozen=True)
class _Answer:
    """One request by the clock: which list it gave, and by which model; neither where it failed."""

    sent: float
    done: float
    stream: bool
    list_id: str = ""
    model: str = ""
    fallback: bool = False

    @property
    def version(self) -> str:
        """Of the adapter that the model's name names."""
        return self.model.partition("+")[2] or NOTHING


class Swaps(BaseModel):
    """What the clients saw. All of `failed`, `fallbacks`, `foreign` and `kept_otherwise` have to be 0.

    `foreign`: answers that name no model, or an adapter that did not rank at any moment between question and answer.
    `kept_otherwise`: lists that the service says again by another name. `seen`: moves on the shelf after which an
    answer came by what they put in production. `first_s`: from such a move until there was an answer by it to a
    question that was sent after the move.
    """

    model: str
    engine: str
    moves: int
    seen: int
    requests: int
    streams: int
    failed: int
    fallbacks: int
    foreign: int
    kept_otherwise: int
    first_s_median: float
    first_s_longest: float
    answer_s_median: float


class _Clients:
    """Threads that ask one question after another, until they are told to stop."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._users = tiny_store().user_ids
        self._numbers = itertools.count()
        self._stopped = threading.Event()
        self.answers: list[_Answer] = []

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask as long as this is not left. Raises what went wrong in a thread."""
        with ThreadPoolExecutor(_CLIENTS) as threads:
            running = [threads.submit(self._ask) for _ in range(_CLIENTS)]
            try:
                yield
            finally:
                self._stopped.set()
        for one in running:
            one.result()

    def first_by(self, version: str, after: float) -> float:
        """When the first answer by an adapter came to who asked after a moment; infinity where none does in time."""
        until = time.time() + _PATIENCE_S
        while time.time() < until:
            found = [one.done for one in self.answers if one.sent > after and one.model and one.version == version]
            if found:
                return min(found)
            time.sleep(0.02)
        return float("inf")

    def _ask(self) -> None:
        while not self._stopped.is_set():
            number = next(self._numbers)
            user_id, said = self._users[number % len(self._users)], f"for evening {number}"
            asked = {"user_id": user_id, "n": 1, "instruction": said, "stream": number % 2 == 1}
            self.answers.append(self._one(asked))

    def _one(self, asked: dict[str, object]) -> _Answer:
        sent, stream = time.time(), bool(asked["stream"])
        try:
            answer = self._client.post("/v1/recommend", json=asked)
            done = time.time()
            return _Answer(sent, done, stream, *_read(answer, stream=stream))
        except (httpx.HTTPError, KeyError, ValueError):
            return _Answer(sent, time.time(), stream)


def measure(moves: int, work: Path, status: Status, *, server: bool = False) -> Swaps:
    """Move what is in production so often. `work` takes the shelf, the database and logs.

    `server`: the model runs in a vLLM server, not in genrec.
    """
    shelf, model = Shelf(work / "adapters"), find_model(None, status)
    versions = [stock(shelf, model, seed) for seed in range(3)]
    store = tiny_store()
    users = [store.user(user_id) for user_id in store.user_ids]
    write_folder(work / "data", {"items": store.items, "users": users, "events": store.events}, pack="shop")
    with _serving(shelf, work, status, server=server) as (url, key), _client(url, key) as client:
        clients, firsts = _Clients(client), []
        with clients.asking():
            for number in range(moves):
                status(f"move {number + 1} of {moves}, {len(clients.answers)} answers")
                moved = time.time()
                version = _move(shelf, versions, number)
                firsts.append(clients.first_by(version, moved) - moved)
        answers = clients.answers
        otherwise = sum(_kept(client, one) != one.model for one in answers if one.list_id)
    return _summary(answers, firsts, _ranked(work / "genrec.log"), otherwise, server=server)


def sound(found: Swaps) -> Iterator[str]:
    """What is wrong, a sentence for each."""
    for name in ("failed", "fallbacks", "foreign", "kept_otherwise"):
        if count := getattr(found, name):
            yield f"{count} answers are {name}"
    if found.seen < found.moves:
        yield f"{found.seen} of {found.moves} moves were seen"


def _move(shelf: Shelf, versions: list[str], number: int) -> str:
    """Two promotions and two steps back by turns, so that the model without an adapter ranks too: what ranks now."""
    if number % 4 < 2:
        promote(shelf, next(v for v in versions[number % 3 :] + versions[: number % 3] if v != shelf.production))
    else:
        shelf.rollback()
    return shelf.production


@contextmanager
def _serving(shelf: Shelf, work: Path, status: Status, *, server: bool) -> Iterator[tuple[str, str]]:
    more = ["--adapters", str(shelf.folder)]
    if not server:
        with running_genrec(work / "data", work, more, status) as found:
            yield found
        return
    port = free_port()
    with (
        running_vllm(port, work / "vllm.log", status, adapters=True),
        running_genrec(work / "data", work, [*more, "--engine", f"http://127.0.0.1:{port}"], status) as found,
    ):
        yield found


def _client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers=bearer(key), timeout=_PATIENCE_S)


def _read(answer: httpx.Response, *, stream: bool) -> tuple[str, str, bool]:
    """The list's id, its model's name, and whether the model failed."""
    answer.raise_for_status()
    if not stream:
        said = answer.json()
        return said["id"], said["model"], said["fallback"] is not None
    events = dict(_events(answer.text))
    return events["meta"]["id"], events["meta"]["model"], events["done"]["fallback"] is not None


def _events(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            yield lines["event"], json.loads(lines["data"])


def _kept(client: httpx.Client, one: _Answer) -> str:
    found: str = client.get(f"/v1/recommendations/{one.list_id}").raise_for_status().json()["model"]
    return found


def _ranked(log: Path) -> list[tuple[str, float, float]]:
    """Which adapter ranked from when to when, as the service said it."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    swaps = [(line["ranks"], datetime.fromisoformat(line["time"]).timestamp()) for line in lines if "ranks" in line]
    begun = [(NOTHING, 0.0), *swaps]
    ends = [*(since for _, since in swaps), float("inf")]
    return [(version, since, until) for (version, since), until in zip(begun, ends, strict=True)]


def _summary(
    answers: Sequence[_Answer],
    firsts: Sequence[float],
    ranked: Sequence[tuple[str, float, float]],
    otherwise: int,
    *,
    server: bool,
) -> Swaps:
    good = [one for one in answers if one.model]
    foreign = [
        one
        for one in good
        if not any(one.version == v and since < one.done and one.sent < until for v, since, until in ranked)
    ]
    return Swaps(
        model=default_model(),
        engine="a vLLM server" if server else "vLLM in genrec",
        moves=len(firsts),
        seen=sum(first < float("inf") for first in firsts),
        requests=len(answers),
        streams=sum(one.stream for one in answers),
        failed=len(answers) - len(good),
        fallbacks=sum(one.fallback for one in good),
        foreign=len(foreign),
        kept_otherwise=otherwise,
        first_s_median=round(statistics.median(firsts), 2),
        first_s_longest=round(max(firsts), 2),
        answer_s_median=round(statistics.median(one.done - one.sent for one in good), 2),
    )
