"""Who looks at a page: a session cookie that stands for an API key, and a token with all that changes something."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response

from genrec.server.desk import Desk
from genrec.server.failures import Forbidden
from genrec.server.pages.rendering import html, render
from genrec.server.pages.words import LANGUAGE_COOKIE, Words, language_of
from genrec.server.service import Service
from genrec.store.database import Key, Scope

SESSION_COOKIE = "genrec_session"
_CSRF = "x-csrf-token"
_SAFE = {"GET", "HEAD"}


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in: whose data, in which words."""

    request: Request
    service: Service
    desk: Desk
    key: Key
    words: Words
    csrf: str

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope: what it has not is not offered."""
        return scope in self.key.scopes

    def page(self, template: str, **data: object) -> HTMLResponse:
        """A whole page."""
        answer = html(self.part(template, **data))
        remember_language(self.request, answer)
        return answer

    def part(self, template: str, **data: object) -> str:
        """The HTML of a template, which finds this visit as `visit`."""
        return render(template, self.words, visit=self, **data)


@dataclass(frozen=True)
class Visits:
    """A dependency: the visit of somebody whose key has a scope.

    Raises Unauthenticated, which `routing` turns into the way to the sign-in, and Forbidden.
    """

    scope: Scope

    async def __call__(self, request: Request) -> Visit:
        service: Service = request.app.state.service
        token = request.cookies.get(SESSION_COOKIE, "")
        key = request.state.key = await service.access.admit_session(token)
        csrf = _csrf_of(token)
        if request.method not in _SAFE:
            check_origin(request)
            if not compare_digest(request.headers.get(_CSRF, "").encode(), csrf.encode()):
                raise Forbidden("the page is out of date: load it again")
        if self.scope not in key.scopes:
            raise Forbidden(f"key {key.name!r} has no scope {self.scope!r}: use one that has, or add one")
        return Visit(request, service, await service.desk(key.tenant), key, Words(language_of(request)), csrf)


Reading = Annotated[Visit, Depends(Visits("read"))]
Writing = Annotated[Visit, Depends(Visits("write"))]
Administering = Annotated[Visit, Depends(Visits("admin"))]


def check_origin(request: Request) -> None:
    """Raises Forbidden for a request that another site's page makes."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    same = site == "same-origin" if site else urlsplit(origin or "").netloc == request.headers.get("host")
    if not same:
        raise Forbidden("this was sent from a page of another site")


def remember_language(request: Request, answer: Response) -> None:
    """Keep a language that was chosen by address for the pages that follow."""
    if "lang" in request.query_params:
        answer.set_cookie(LANGUAGE_COOKIE, language_of(request), samesite="lax")


def _csrf_of(token: str) -> str:
    """A token that only pages of this session know; it does not give the session away."""
    return hashlib.sha256(f"csrf {token}".encode("utf-8", "surrogatepass")).hexdigest()
