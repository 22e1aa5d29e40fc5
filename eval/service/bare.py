"""A server that waits and says nothing else, for `service-load`: what clients and sockets take themselves."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

_SECONDS = "GENREC_EVAL_WAIT_S"


async def app(
    scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Wait before any answer but that to `GET /`."""
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(float(os.environ[_SECONDS]) if scope["path"] != "/" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


@contextmanager
def waiting(seconds: float, core: int) -> Iterator[str]:
    """Start it on one core; its address, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "uvicorn", f"{__name__}:app"]
    command += ["--port", str(port), "--log-level", "error", "--lifespan", "off", "--no-access-log"]
    with subprocess.Popen(command, env={**os.environ, _SECONDS: str(seconds)}) as process:  # noqa: S603
        try:
            yield _when_there(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _when_there(address: str) -> str:
    retrying = httpx.HTTPTransport(retries=8)  # with a growing pause: a server that starts refuses connections
    with httpx.Client(transport=retrying, timeout=60) as client:
        client.get(address)
    return address
