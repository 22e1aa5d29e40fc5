"""API keys: a secret that is shown once, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from hmac import compare_digest
from typing import Any, get_args

from sqlalchemy import Connection, Row, delete, insert, select

from genrec.errors import Conflict, DataError, NotFound
from genrec.store.database.records import Key, Scope
from genrec.store.database.rows import now
from genrec.store.database.schema import keys

_SECRET = re.compile(r"genrec_([0-9a-f]{16})_[\w-]{43}", re.ASCII)
_SCOPES = get_args(Scope)


def add(connection: Connection, tenant: str, name: str, scopes: Collection[Scope]) -> str:
    """Make a key, and give its secret away. Raises Conflict, DataError."""
    if not scopes or not set(scopes) <= set(_SCOPES):
        raise DataError(f"scopes {list(scopes)} of key {name!r}: give one or more of {', '.join(_SCOPES)}")
    if any(key.name == name for key in of(connection, tenant)):
        raise Conflict(f"tenant {tenant!r} has a key {name!r} already: revoke it first, or name another")
    key_id = secrets.token_hex(8)
    secret = f"genrec_{key_id}_{secrets.token_urlsafe(32)}"
    row = {
        "key_id": key_id,
        "tenant": tenant,
        "name": name,
        "digest": _digest(secret),
        "scopes": " ".join(sorted(scopes)),
        "created_at": now(),
    }
    connection.execute(insert(keys), row)
    return secret


def of(connection: Connection, tenant: str) -> list[Key]:
    """A tenant's keys by their names."""
    return [
        key_in(row) for row in connection.execute(select(keys).where(keys.c.tenant == tenant).order_by(keys.c.name))
    ]


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
    return Key(row.tenant, row.name, frozenset(row.scopes.split()), datetime.fromisoformat(row.created_at))


def _digest(secret: str) -> str:
    """SHA-256 is enough for 32 random bytes: nobody can try them all."""
    return hashlib.sha256(secret.encode()).hexdigest()
