"""Real servers in processes of their own, on loopback ports: `genrec serve`, and vLLM's."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from eval.method import Status
from genrec.engine import default_model, has_gpu, resolve
from genrec.engine.hardware import cpu_dtype
from genrec.engine.vllm import machine_environment

_READY_S = 300
_ENDING_S = 60
_KEY = re.compile(r"genrec_[0-9a-f]{16}_[\w-]{43}")
_SERVER = "import sys; from genrec.cli import main; sys.argv = ['genrec', *sys.argv[1:]]; main()"
_FOR_ADAPTERS = ("--enable-lora", "--max-loras", "2", "--max-lora-rank", "8")


@contextmanager
def running_vllm(port: int, log: Path, status: Status, *, adapters: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """In a process group of its own: a killed server leaves workers behind, which hold its memory.

    `adapters`: it takes them while it runs.
    """
    model = resolve(default_model(), status)
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port), "--max-model-len", "4096"]
    command += [] if has_gpu() else ["--dtype", cpu_dtype(), "--enforce-eager", "--gpu-memory-utilization", "0.3"]
    command += _FOR_ADAPTERS if adapters else ()
    settings = {**machine_environment(), **os.environ}
    settings |= {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if adapters else {}
    status("starting vLLM")
    with log.open("w") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink, env=settings, start_new_session=True)  # noqa: S603
        try:
            _wait_for(server, f"http://127.0.0.1:{port}/health", log)
            yield server
        finally:
            kill(server)


def kill(server: subprocess.Popen[bytes]) -> None:
    """End a server and its workers, as a machine does that loses its power."""
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # killed before
    server.wait()


@contextmanager
def running_genrec(data: Path, work: Path, more: Sequence[str], status: Status) -> Iterator[tuple[str, str]]:
    """`genrec serve` on a new database: its URL, and its first key, which it says once. Its log is `genrec.log`."""
    port, log = free_port(), work / "genrec.log"
    command = [sys.executable, "-c", _SERVER, "serve", "--data", str(data), "--port", str(port), "--rate", "100000"]
    command += ["--database", f"sqlite:///{work / 'genrec.sqlite'}", *more]
    status("starting genrec")
    with log.open("w") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink)  # noqa: S603
        try:
            _wait_for(server, f"http://127.0.0.1:{port}/health/ready", log)
            found = _KEY.search(log.read_text())
            if found is None:
                raise RuntimeError(f"no key in {log}")
            yield f"http://127.0.0.1:{port}", found[0]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(_ENDING_S)


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


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
