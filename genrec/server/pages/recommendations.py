"""The recommendations of one user."""

from __future__ import annotations

from fastapi.responses import Response

from genrec.server.pages.routing import pages
from genrec.server.pages.visiting import Reading

router = pages("/recommendations")


@router.get("")
async def show(visit: Reading) -> Response:
    """The form, and room for a list."""
    return visit.page("recommendations.html.j2")
