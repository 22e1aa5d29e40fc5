"""Routes of pages: what goes wrong is said on a page, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from genrec.server.failures import Unauthenticated, headers_of, problem, status_of
from genrec.server.pages.rendering import html, render
from genrec.server.pages.words import Words, language_of

SIGN_IN = "/pages/sign-in"
_SCRIPTED = "hx-request"


class PageRoute(APIRoute):
    """A route whose errors are HTML: a page, or a part of one where a script asked."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await answer(request)
            except Unauthenticated:
                return _to_sign_in(request)
            except Exception as error:
                return _failed(request, error)

        return page


def pages(prefix: str = "") -> APIRouter:
    """A router for pages under `/pages`."""
    return APIRouter(prefix=f"/pages{prefix}", route_class=PageRoute, include_in_schema=False)


def said(error: Exception, words: Words) -> str:
    """An error in plain words, as a part of a page."""
    return render("_problem.html.j2", words, problem=problem(error))


def _failed(request: Request, error: Exception) -> Response:
    words = Words(language_of(request))
    if _SCRIPTED in request.headers:
        return html(said(error, words), status_of(error), headers_of(error))
    content = render("problem.html.j2", words, problem=problem(error), request=request)
    return html(content, status_of(error), headers_of(error))


def _to_sign_in(request: Request) -> Response:
    if _SCRIPTED in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': asked})}" if request.method == "GET" else SIGN_IN, 303)
