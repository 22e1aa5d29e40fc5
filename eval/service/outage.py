"""The model's server is killed under a running service, and started again: what becomes of every request meanwhile.

A real `vllm serve` process, a real `genrec serve` process on the demo films, and clients over HTTP. After a third of
the requests vLLM is killed with SIGKILL; after another third it is started on the same port. Nobody touches genrec.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel

from eval.method import Status
from genrec.engine import default_model, has_gpu, resolve
from genrec.engine.hardware import cpu_dtype
from genrec.engine.vllm import machine_environment
from genrec.prompting import pack_folder
from genrec.store import read_folder

DATA = pack_folder() / "movies" / "demo"
_CLIENTS = 4
_DEADLINE_S = 20
_READY_S = 300
_KEY = re.compile(r"genrec_[0-9a-f]{16}_[\w-]{43}")
_SERVER = "import sys; from genrec.cli import main; sys.argv = ['genrec', *sys.argv[1:]]; main()"


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
    port = _free_port()
    with _running_vllm(port, work / "vllm-1.log", status) as vllm, _service(port, work, status) as (url, key):
        third = requests // 3
        answers = _ask(url, key, third, status)
        _kill(vllm)
        killed = time.monotonic()
        answers += _ask(url, key, third, status)
        with _running_vllm(port, work / "vllm-2.log", status):
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


@contextmanager
def _running_vllm(port: int, log: Path, status: Status) -> Iterator[subprocess.Popen[bytes]]:
    """In a process group of its own: a killed server leaves workers behind, which hold its memory."""
    model = resolve(default_model(), status)
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port), "--max-model-len", "4096"]
    command += [] if has_gpu() else ["--dtype", cpu_dtype(), "--enforce-eager", "--gpu-memory-utilization", "0.3"]
    status("starting vLLM")
    with log.open("w") as sink:
        settings = {**machine_environment(), **os.environ}
        server = subprocess.Popen(command, stdout=sink, stderr=sink, env=settings, start_new_session=True)  # noqa: S603
        try:
            _wait_for(server, f"http://127.0.0.1:{port}/health", log)
            yield server
        finally:
            _kill(server)


def _kill(server: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # killed before
    server.wait()


@contextmanager
def _service(port: int, work: Path, status: Status) -> Iterator[tuple[str, str]]:
    """`genrec serve`: its URL, and its first key, which it says once."""
    own, log = _free_port(), work / "genrec.log"
    command = [sys.executable, "-c", _SERVER, "serve", "--data", str(DATA), "--port", str(own), "--rate", "100000"]
    command += ["--database", f"sqlite:///{work / 'genrec.sqlite'}", "--engine", f"http://127.0.0.1:{port}"]
    command += ["--deadline", str(_DEADLINE_S)]
    status("starting genrec")
    with log.open("w") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink)  # noqa: S603
        try:
            _wait_for(server, f"http://127.0.0.1:{own}/health/ready", log)
            found = _KEY.search(log.read_text())
            if found is None:
                raise RuntimeError(f"no key in {log}")
            yield f"http://127.0.0.1:{own}", found[0]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(_DEADLINE_S + 30)


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"it ended before it answered: {log.read_text()[-2000:]}")
        try:
            if httpx.get(url, timeout=10).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{url} did not answer in {_READY_S} s: see {log}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
