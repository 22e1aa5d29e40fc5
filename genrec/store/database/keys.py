"""API keys: a secret that is shown once, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from hmac import compare_digest
from typing import Any, get_args
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, delete, insert, select

from genrec.errors import Conflict, DataError, NotFound
from genrec.store.database.records import Key, PublicKey, Scope
from genrec.store.database.rows import now
from genrec.store.database.schema import keys

_SECRET = re.compile(r"genrec_([0-9a-f]{16})_[\w-]{43}", re.ASCII)
_SCOPES = get_args(Scope)


def add(connection: Connection, tenant: str, name: str, scopes: Collection[Scope]) -> str:
    """Make a key, and give its secret away. Raises Conflict, DataError."""
    if not scopes or not set(scopes) <= set(_SCOPES):
        raise DataError(f"scopes {list(scopes)} of key {name!r}: give one or more of {', '.join(_SCOPES)}")
    return _insert(connection, tenant, name, scopes=" ".join(sorted(scopes)))


def add_public(connection: Connection, tenant: str, name: str, origins: Collection[str]) -> PublicKey:
    """Make a key for pages of these origins. Raises Conflict, DataError."""
    if not origins:
        raise DataError(
            f"key {name!r} has no origin: name those of the pages that will hold it, as https://shop.example"
        )
    for origin in origins:
        _check_origin(origin)
    signing_secret = secrets.token_urlsafe(32)
    written = {"origins": " ".join(sorted(set(origins))), "signing_secret": signing_secret}
    return PublicKey(_insert(connection, tenant, name, **written), signing_secret)


def _insert(
    connection: Connection, tenant: str, name: str, *, scopes: str = "", origins: str = "", signing_secret: str = ""
) -> str:
    if any(key.name == name for key in of(connection, tenant)):
        raise Conflict(f"tenant {tenant!r} has a key {name!r} already: revoke it first, or name another")
    key_id = secrets.token_hex(8)
    secret = f"genrec_{key_id}_{secrets.token_urlsafe(32)}"
    row = {
        "key_id": key_id,
        "tenant": tenant,
        "name": name,
        "digest": _digest(secret),
        "scopes": scopes,
        "created_at": now(),
        "origins": origins,
        "signing_secret": signing_secret,
    }
    connection.execute(insert(keys), row)
    return secret


def of(connection: Connection, tenant: str) -> list[Key]:
    """A tenant's keys by their names."""
    return [
        key_in(row) for row in connection.execute(select(keys).where(keys.c.tenant == tenant).order_by(keys.c.name))
    ]


def origins(connection: Connection) -> frozenset[str]:
    """Those of all public keys."""
    found = connection.execute(select(keys.c.origins).where(keys.c.origins != "")).scalars()
    return frozenset(origin for row in found for origin in row.split())


def revoke(connection: Connection, tenant: str, name: str) -> None:
    """Take a key away. Raises NotFound."""
    if not connection.execute(delete(keys).where(keys.c.tenant == tenant, keys.c.name == name)).rowcount:
        raise NotFound(f"tenant {tenant!r} has no key {name!r}: it was never there, or is revoked already")


def find(connection: Connection, secret: str) -> Key | None:
    """The key of a secret."""
    row = row_of(connection, secret)
    return None if row is None else key_in(row)


def row_of(connection: Connection, secret: str) -> Row[Any] | None:
    """The row of the key whose secret this is."""
    if not (parts := _SECRET.fullmatch(secret)):
        return None
    row = connection.execute(select(keys).where(keys.c.key_id == parts[1])).first()
    return row if row is not None and compare_digest(row.digest, _digest(secret)) else None


def key_in(row: Row[Any]) -> Key:
    """The key that a row holds."""
    return Key(
        row.tenant,
        row.name,
        frozenset(row.scopes.split()),
        datetime.fromisoformat(row.created_at),
        frozenset(row.origins.split()),
        row.signing_secret,
    )


def _check_origin(origin: str) -> None:
    """Raises DataError for what no browser would send as `Origin`."""
    try:
        parts = urlsplit(origin)
        sent = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        usual = {"http": 80, "https": 443}.get(parts.scheme, parts.port) == parts.port
    except ValueError:
        sent, usual = "", False
    if sent != origin or usual or not origin.isascii() or " " in origin or parts.scheme not in {"http", "https"}:
        raise DataError(
            f"origin {origin!r} is none that a browser sends: write https://shop.example or http://127.0.0.1:8080, in "
            "small letters, without a path, and without the port where it is the usual one"
        )


def _digest(secret: str) -> str:
    """SHA-256 is enough for 32 random bytes: nobody can try them all."""
    return hashlib.sha256(secret.encode()).hexdigest()
