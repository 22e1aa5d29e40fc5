"""The one page of the service: layers around routes, and what begins and ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from genrec.server.crossing import CrossOrigin
from genrec.server.described import describe
from genrec.server.failures import handle_failures
from genrec.server.mcp import ToolServer
from genrec.server.middleware import Guarded, Observed
from genrec.server.pages.site import add_pages
from genrec.server.routes import catalogue, component, contest, events, health, insight, prompts, quarantine, recommend
from genrec.server.service import Service

_ABOUT = """Ranked items with reasons that are checked against evidence.

Send your API key as `Authorization: Bearer KEY`. Ids in paths are percent-encoded, `/` too. Every error has the same
body; its `trace_id` is the one of your `traceparent`, and is in the header `X-Trace-Id` of every answer."""


def create_app(service: Service, version: str) -> FastAPI:
    """The application, which owns the service: it closes with it.

    There is no page of documentation, which would need foreign scripts: `/openapi.json` says it all.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.open()
        async with tools.sessions.run():
            yield
        await service.close()

    app = FastAPI(title="genrec", version=version, description=_ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    for routes in (recommend, events, catalogue, insight, prompts, quarantine, contest, component, health):
        app.include_router(routes.router)
    add_pages(app)
    tools = ToolServer(app)
    handle_failures(app)
    describe(app)
    app.add_middleware(Guarded, service=service)
    app.add_middleware(CrossOrigin, service=service)
    app.add_middleware(Observed, service=service)  # the last one is the outermost
    return app
