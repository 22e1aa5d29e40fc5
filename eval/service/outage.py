"""The model's server is killed under a running service, and started again: what becomes of every request meanwhile.

A real `vllm serve` process, a real `genrec serve` process on the demo films, and clients over HTTP. After a third of
the requests vLLM is killed with SIGKILL; after another third it is started on the same port. Nobody touches genrec.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel

from eval.method import Status
from eval.service.processes import free_port, kill, running_genrec, running_vllm
from genrec.engine import default_model
from genrec.prompting import pack_folder
from genrec.store import read_folder

DATA = pack_folder() / "movies" / "demo"
_CLIENTS = 4
_DEADLINE_S = 20


@dataclass(frozen=True)
class _Answer:
    """One request: when it was sent and done, and what came back. `lost`: no answer, or none that says what it is."""

    sent: float
    done: float
    status: int
    fallback: bool
    calls: int
    items: int

    @property
    def lost(self) -> bool:
        return self.status != 200 or self.items == 0

    @property
    def unflagged(self) -> bool:
        """Says nothing of a failure, though the model was not asked."""
        return self.status == 200 and not self.fallback and self.calls == 0


class Outage(BaseModel):
    """What the clients saw. `down_unflagged`: whole answers from while no model was there; has to be 0.

    `recovery_s`: from the moment at which vLLM answered again until the first request that it ranked was sent.
    `longest_s`: of any request, with a deadline of `deadline_s`.
    """

    model: str
    requests: int
    by_model: int
    flagged: int
    lost: int
    unflagged: int
    down_requests: int
    down_unflagged: int
    longest_s: float
    deadline_s: float
    down_s: float
    recovery_s: float


def measure(requests: int, work: Path, status: Status) -> Outage:
    """Send the requests, and kill and start vLLM in the middle. `work` takes the database and logs."""
    port = free_port()
    more = ["--engine", f"http://127.0.0.1:{port}", "--deadline", str(_DEADLINE_S)]
    with (
        running_vllm(port, work / "vllm-1.log", status) as vllm,
        running_genrec(DATA, work, more, status) as (url, key),
    ):
        third = requests // 3
        answers = _ask(url, key, third, status)
        kill(vllm)
        killed = time.monotonic()
        answers += _ask(url, key, third, status)
        with running_vllm(port, work / "vllm-2.log", status):
            back = time.monotonic()
            answers += _ask(url, key, requests - 2 * third, status)
    return _summary(answers, killed, back)


def _summary(answers: Sequence[_Answer], killed: float, back: float) -> Outage:
    kinds = Counter(
        "lost" if one.lost else "flagged" if one.fallback else "unflagged" if one.unflagged else "by_model"
        for one in answers
    )
    down = [one for one in answers if killed < one.sent and one.done < back]
    ranked = [one.sent for one in answers if one.sent > killed and not one.lost and not one.fallback]
    return Outage(
        model=default_model(),
        requests=len(answers),
        by_model=kinds["by_model"],
        flagged=kinds["flagged"],
        lost=kinds["lost"],
        unflagged=kinds["unflagged"],
        down_requests=len(down),
        down_unflagged=sum(not one.fallback and not one.lost for one in down),
        longest_s=round(max(one.done - one.sent for one in answers), 2),
        deadline_s=_DEADLINE_S,
        down_s=round(back - killed, 1),
        recovery_s=round(min(ranked, default=float("inf")) - back, 2),
    )


def _ask(url: str, key: str, requests: int, status: Status) -> list[_Answer]:
    users = read_folder(DATA).user_ids
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=_DEADLINE_S * 3) as client:

        def one(number: int) -> _Answer:
            status(f"asking: {number + 1} of {requests}")
            asked = {"user_id": users[number % len(users)], "n": 3, "instruction": f"for evening {number}"}
            return _one(client, asked)

        with ThreadPoolExecutor(_CLIENTS) as threads:
            return list(threads.map(one, range(requests)))


def _one(client: httpx.Client, asked: dict[str, object]) -> _Answer:
    sent = time.monotonic()
    try:
        answer = client.post("/v1/recommend", json=asked)
    except httpx.HTTPError:
        return _Answer(sent, time.monotonic(), 0, fallback=False, calls=0, items=0)
    done, body = time.monotonic(), answer.json()
    if not answer.is_success:
        return _Answer(sent, done, answer.status_code, fallback=False, calls=0, items=0)
    fallback, calls = body["fallback"] is not None, body["trace"]["model_calls"]
    return _Answer(sent, done, answer.status_code, fallback, calls, len(body["items"]))
