"""How the latest lists of a tenant were made, and what became of them."""

from __future__ import annotations

import asyncio

from fastapi.responses import Response

from genrec.server.pages.figures import Quality, figures
from genrec.server.pages.rendering import html
from genrec.server.pages.routing import pages
from genrec.server.pages.visiting import Reading, Visit

LISTS = 200
"""The latest ones, which are looked at."""

router = pages("/quality")


@router.get("")
async def show(visit: Reading) -> Response:
    """The page, which asks for its figures anew while somebody looks."""
    return visit.page("quality.html.j2", found=await _figures(visit), most=LISTS)


@router.get("/figures")
async def look(visit: Reading) -> Response:
    """The figures by themselves."""
    return html(visit.part("_figures.html.j2", found=await _figures(visit), most=LISTS))


async def _figures(visit: Visit) -> Quality:
    return await asyncio.to_thread(figures, await visit.desk.read(visit.desk.tenant.recent, LISTS))
