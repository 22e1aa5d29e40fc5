"""Who asks, for which tenant, what they may do, and how often. The tenant follows from the key alone."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request

from genrec.errors import StoreError
from genrec.server.desk import Desk
from genrec.server.failures import Forbidden, RateLimited, Unauthenticated
from genrec.server.lines import Lines
from genrec.server.settings import Settings
from genrec.store.database import Database, Key, Scope

_REMEMBERED = 1000
_LONGEST_SECRET = 200


class Access:
    """Finds keys, and counts what each asks for."""

    def __init__(self, database: Database, lines: Lines, settings: Settings) -> None:
        self._database, self._lines = database, lines
        self._rate = settings.rate
        self._origins: frozenset[str] | None = None
        self._known: OrderedDict[str, Key] = OrderedDict()
        self._buckets: dict[tuple[str, str], Bucket] = {}

    async def key(self, secret: str) -> Key:
        """The key of a secret; while the database cannot be read, one that it knew before.

        Raises:
            Unauthenticated: no such key. StoreError.
        """
        key = await self._find(secret, self._database.find_key)
        if key is None:
            raise Unauthenticated("no valid API key: send it as Authorization: Bearer KEY; genrec key add makes one")
        return key

    async def admit_session(self, token: str) -> Key:
        """The key that somebody signed in with. Raises as `admit` does."""
        key = await self._find(token, self._database.find_session)
        if key is None:
            raise Unauthenticated("not signed in, or the session is over: sign in with an API key")
        self.charge(key, 1)
        return key

    async def begin_session(self, secret: str) -> str:
        """Sign in: the token of a new session. Raises Unauthenticated, StoreError."""
        token = await self._lines.writing.run(self._database.begin_session, secret)
        if token is None:
            raise Unauthenticated("no such API key: genrec key add makes one")
        return token

    async def end_session(self, token: str) -> None:
        """Sign out. Raises StoreError."""
        await self._lines.writing.run(self._database.end_session, token)
        self._known.pop(_digest(token), None)

    def admit(self, key: Key, origin: str) -> None:
        """Count a request of a key. `origin`: of the page that sends it, empty where it is no page of another origin.

        Raises:
            Forbidden: a public key, and a page of none of its origins. RateLimited: it asks too often.
        """
        if key.public and origin not in key.origins:
            named = ", ".join(sorted(key.origins))
            raise Forbidden(f"key {key.name!r} is for pages of {named}, not of {origin[:_LONGEST_SECRET]!r}")
        self.charge(key, 1)

    async def allows(self, origin: str) -> bool:
        """Whether a public key is for pages of an origin; while the database cannot be read, whether one was.

        Raises:
            StoreError: it never could be read.
        """
        try:
            self._origins = await self._lines.reading.run(self._database.origins)
        except StoreError:
            if self._origins is None:
                raise
        return origin in self._origins

    def charge(self, key: Key, requests: int) -> None:
        """Count requests of a key. Raises RateLimited, which counts none of them."""
        bucket = self._buckets.setdefault((key.tenant, key.name), Bucket(self._rate))
        if wait_s := bucket.take(requests):
            raise RateLimited(f"key {key.name!r} may send {self._rate} requests a minute: ask again later", wait_s)

    async def _find(self, secret: str, find: Callable[[str], Key | None]) -> Key | None:
        if not 0 < len(secret) <= _LONGEST_SECRET:
            return None
        digest = _digest(secret)
        try:
            key = await self._lines.reading.run(find, secret)
        except StoreError:
            if digest not in self._known:
                raise
            return self._known[digest]
        if key is None:
            self._known.pop(digest, None)
            return None
        self._known[digest] = key
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return key


class Bucket:
    """A token bucket: it holds what one minute may bring, and fills up evenly."""

    def __init__(self, a_minute: int) -> None:
        self._most, self._each_s = float(a_minute), a_minute / 60
        self._left, self._counted = self._most, monotonic()

    def take(self, count: int) -> float:
        """Take so many: 0, or the seconds until they are there, and nothing is taken."""
        now = monotonic()
        self._left = min(self._most, self._left + (now - self._counted) * self._each_s)
        self._counted = now
        if count > self._left:
            return (min(count, self._most) - self._left) / self._each_s
        self._left -= count
        return 0.0


@dataclass(frozen=True)
class Needs:
    """A dependency: the desk of the key's tenant, where the key has a scope, or is public and such a one will do."""

    scope: Scope
    public: bool = False

    async def __call__(self, request: Request) -> Desk:
        key: Key = request.state.key
        if self.scope not in key.scopes and not (self.public and key.public):
            raise Forbidden(f"key {key.name!r} has no scope {self.scope!r}: use one that has, or add one")
        desk: Desk = await request.app.state.service.desk(key.tenant)
        return desk


PublicReader = Annotated[Desk, Depends(Needs("read", public=True))]
Reader = Annotated[Desk, Depends(Needs("read"))]
Writer = Annotated[Desk, Depends(Needs("write"))]
Admin = Annotated[Desk, Depends(Needs("admin"))]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The API key in the headers of a request; empty where there is none."""
    scheme, _, secret = header(headers, b"authorization").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else header(headers, b"x-api-key").strip()


def header(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """A header of a request by its name in small letters, the last one of several; empty where there is none."""
    return next((value.decode("latin-1") for found, value in reversed(headers) if found.lower() == name), "")
