"""Sign-in with an API key, and sign-out."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import RedirectResponse, Response

from genrec.server.failures import Unauthenticated
from genrec.server.pages.rendering import html, render
from genrec.server.pages.routing import SIGN_IN, pages
from genrec.server.pages.visiting import SESSION_COOKIE, Reading, check_origin, remember_language
from genrec.server.pages.words import Words, language_of
from genrec.server.service import Service

_HOME = "/pages/recommendations"

router = pages()


@router.get("/sign-in")
async def ask_for_key(request: Request, next: str = _HOME) -> Response:
    """The form."""
    answer = html(_form(request, next, refused=False))
    remember_language(request, answer)
    return answer


@router.post("/sign-in")
async def sign_in(
    request: Request,
    key: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=4000)] = _HOME,
) -> Response:
    """A session in place of the key, which is not kept. The cookie is sent over TLS alone where the form was."""
    check_origin(request)
    service: Service = request.app.state.service
    try:
        token = await service.access.begin_session(key.strip())
    except Unauthenticated:
        return html(_form(request, next, refused=True), 401)
    answer = RedirectResponse(next if _is_page(next) else _HOME, 303)
    secure = request.headers.get("origin", "").startswith("https://")
    answer.set_cookie(SESSION_COOKIE, token, path="/pages", secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/sign-out")
async def sign_out(visit: Reading) -> Response:
    """The end of the session."""
    await visit.service.access.end_session(visit.request.cookies[SESSION_COOKIE])
    answer = Response(status_code=204, headers={"HX-Redirect": SIGN_IN})
    answer.delete_cookie(SESSION_COOKIE, path="/pages")
    return answer


def _form(request: Request, after: str, *, refused: bool) -> str:
    return render("sign_in.html.j2", Words(language_of(request)), request=request, after=after, refused=refused)


def _is_page(address: str) -> bool:
    """Whether an address is one of ours, and not one that browsers read as another site's."""
    return address.startswith("/pages/") and "\\" not in address and address.isprintable()
