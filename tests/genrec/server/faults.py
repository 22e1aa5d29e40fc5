"""A model's server over real HTTP that can be told to fail: what it does is one word."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

Mode = Literal["well", "hung", "slow", "not json", "not numbers", "no scores", "stops in the middle", "is cut off"]
HELD_S = 4.0
"""How long a hung one says nothing: long after every deadline here, and short enough for a control to wait for."""


class FaultyServer:
    """Speaks as much of the OpenAI API as genrec asks for. Its health page is green, whatever `mode` says."""

    def __init__(self) -> None:
        self.mode: Mode = "well"
        self.url = ""
        routes = [
            Route("/health", lambda _: Response()),
            Route("/v1/models", lambda _: JSONResponse({"data": [{"id": "faulty", "max_model_len": 4096}]})),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    async def _chat(self, request: Request) -> Response:
        asked = await request.json()
        if self.mode == "hung":
            await asyncio.sleep(HELD_S)
        if self.mode == "not json":
            return PlainTextResponse("<html>It works!</html>")
        return (
            StreamingResponse(self._words(), media_type="text/event-stream") if asked.get("stream") else self._scores()
        )

    def _scores(self) -> Response:
        top = [{"token": letter, "logprob": -place / 10} for place, letter in enumerate("ABCDEFGHIJKLMNOPQRST")]
        if self.mode == "not numbers":
            top[0]["logprob"] = float("nan")
        if self.mode == "no scores":
            top = []
        body = {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]}
        return Response(json.dumps(body), media_type="application/json")  # with NaN, as Python's own servers write it

    async def _words(self) -> AsyncIterator[str]:
        for word in ("It ", "suits ", "you", "."):
            yield _event({"choices": [{"delta": {"content": word}}]})
            if self.mode == "slow":
                await asyncio.sleep(HELD_S / 4)
            if self.mode == "stops in the middle":
                return
            if self.mode == "is cut off":
                raise ConnectionError("the machine is gone")
        yield _event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        yield "data: [DONE]\n\n"


def _event(data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"


@contextmanager
def serving(server: FaultyServer) -> Iterator[None]:
    """Until it is left, the server listens on a port of its own."""
    config = uvicorn.Config(server.app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        threading.Event().wait(0.01)
    server.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        running.should_exit = running.force_exit = True
        thread.join()
