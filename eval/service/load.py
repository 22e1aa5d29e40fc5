"""What the service adds to the time of its model, and what becomes of requests when far too many come.

The model is scripted: every call of it takes as long as it is told to, so a list takes two calls one after the other,
the ranking and the reasons side by side. Everything else is real: HTTP, keys, SQLite with full sync, retrieval over the
demo films, prompts, checks. The service runs on one core, its clients on another. Beside it the same clients ask a
server that does nothing but wait as long: what clients and sockets take themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
from pydantic import BaseModel

from eval.method import Status
from eval.service.bare import waiting
from eval.service.crowd import Answer, Orders, ask
from eval.service.house import Plan, bearer, furnish, opened
from genrec.prompting import pack_folder
from genrec.store import read_folder

DATA = pack_folder() / "movies" / "demo"
CLIENTS = 50
_SERVICE, _CLIENTS = 0, 1
"""Cores."""
_CALLS = 2
"""Of the model, one after the other, for one list."""
_WARM_S = 5.0
_CONCURRENCY, _QUEUE, _DEADLINE_S, _TIMES = 8, 16, 10.0, 10
_EACH_S = 5.0
"""From an answer to the same client's next request then, in the mean."""
_MOST_OVERHEAD_MS, _MOST_REFUSAL_MS = 10, 50


class Overhead(BaseModel):
    """Milliseconds that answers took beyond the model's. `bare`: the same against a server that only waits."""

    server: str
    requests: int
    failed: int
    a_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Overload(BaseModel):
    """`late`: answers after the deadline; `refused`: 503 at once; `lost`: anything else."""

    capacity: float
    asked_a_second: float
    requests: int
    answered: int
    answered_a_second: float
    late: int
    slowest_s: float
    deadline_s: float
    refused: int
    refusal_p50_ms: float
    refusal_p95_ms: float
    refusal_p99_ms: float
    refusal_max_ms: float
    lost: int


class Load(BaseModel):
    """Both."""

    model_ms: int
    clients: int
    overhead: list[Overhead]
    overload: Overload


def measure(seconds: float, delay_s: float, rounds: int, folder: Path, status: Status) -> Load:
    """Let clients ask for so many seconds, each time."""
    store = read_folder(DATA)
    plan = Plan(f"sqlite:///{folder / 'genrec.sqlite'}", delay_s=delay_s, concurrency=256, queue=256)
    headers = bearer(furnish(plan.database, store, pack="movies")["default"])
    orders = Orders("", headers, store.user_ids, CLIENTS, seconds + _WARM_S)
    waited_s = _CALLS * delay_s
    overhead = []
    for number in range(rounds):
        status(f"{CLIENTS} clients, round {number + 1} of {rounds}")
        with opened(plan, folder, _SERVICE) as house:
            overhead.append(_overhead("genrec", ask(replace(orders, address=house.address), _CLIENTS), waited_s))
        with waiting(waited_s, _SERVICE) as address:
            overhead.append(_overhead("bare", ask(replace(orders, address=address), _CLIENTS), waited_s))
    status(f"{_TIMES} times what it can do")
    plan = replace(plan, concurrency=_CONCURRENCY, queue=_QUEUE, deadline_s=_DEADLINE_S)
    capacity = _CONCURRENCY / waited_s
    orders = replace(orders, clients=round(_EACH_S * _TIMES * capacity), each_s=_EACH_S)
    with opened(plan, folder, _SERVICE) as house:
        answers = ask(replace(orders, address=house.address), _CLIENTS)
    return Load(
        model_ms=round(waited_s * 1000),
        clients=CLIENTS,
        overhead=overhead,
        overload=_overload(answers, capacity),
    )


def sound(found: Load) -> Iterator[str]:
    """What is wrong; nothing where all is well."""
    ours = [one for one in found.overhead if one.server == "genrec"]
    if any(one.failed for one in ours) or found.overload.lost:
        yield "a request was lost"
    if (p95 := float(np.median([one.p95_ms for one in ours]))) >= _MOST_OVERHEAD_MS:
        yield f"the service adds {p95:.1f} ms at p95, not under {_MOST_OVERHEAD_MS}"
    if found.overload.late:
        yield f"{found.overload.late} answers came after their deadline"
    if found.overload.refusal_p99_ms > _MOST_REFUSAL_MS:
        yield f"refusals took {found.overload.refusal_p99_ms:.0f} ms at p99, not {_MOST_REFUSAL_MS}"


def _overhead(server: str, answers: Sequence[Answer], waited_s: float) -> Overhead:
    warm = [one for one in answers if one.sent_s > _WARM_S]
    good = [one for one in warm if one.status == httpx.codes.OK]
    beyond = [(one.took_s - waited_s) * 1000 for one in good]
    return Overhead(
        server=server,
        requests=len(warm),
        failed=len(warm) - len(good),
        a_second=round(len(good) / (warm[-1].sent_s - warm[0].sent_s), 1),
        p50_ms=_at(beyond, 50),
        p95_ms=_at(beyond, 95),
        p99_ms=_at(beyond, 99),
    )


def _overload(answers: Sequence[Answer], capacity: float) -> Overload:
    warm = [one for one in answers if one.sent_s > _WARM_S]
    lasted_s = warm[-1].sent_s - warm[0].sent_s
    answered = [one for one in warm if one.status == httpx.codes.OK]
    refused = [one.took_s * 1000 for one in warm if one.status == httpx.codes.SERVICE_UNAVAILABLE]
    return Overload(
        capacity=capacity,
        asked_a_second=round(len(warm) / lasted_s, 1),
        requests=len(warm),
        answered=len(answered),
        answered_a_second=round(len(answered) / lasted_s, 1),
        late=sum(one.took_s > _DEADLINE_S for one in answered),
        slowest_s=round(max(one.took_s for one in answered), 2),
        deadline_s=_DEADLINE_S,
        refused=len(refused),
        refusal_p50_ms=_at(refused, 50),
        refusal_p95_ms=_at(refused, 95),
        refusal_p99_ms=_at(refused, 99),
        refusal_max_ms=_at(refused, 100),
        lost=len(warm) - len(answered) - len(refused),
    )


def _at(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2) if values else float("nan")
