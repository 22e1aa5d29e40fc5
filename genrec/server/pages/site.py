"""All pages together."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from genrec.server.pages import comparisons, quality, recommendations, signing, static, studio, why
from genrec.server.pages.routing import pages
from genrec.server.pages.trials import Trials


def add_pages(app: FastAPI) -> None:
    """Let an application serve the pages, and show the first of them at its root."""
    for routes in (signing, recommendations, why, studio, comparisons, quality, static):
        app.include_router(routes.router)
    nowhere = pages()
    nowhere.add_api_route("/{rest:path}", _nowhere)
    app.include_router(nowhere)
    app.state.trials = Trials()
    app.add_api_route("/", _home, include_in_schema=False)


async def _home() -> RedirectResponse:
    return RedirectResponse("/pages/recommendations", 307)


async def _nowhere(rest: str) -> None:
    """What is under no other address."""
    raise HTTPException(404, f"there is no page {rest!r}")
