"""Sessions: a token that stands for an API key for some hours, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from time import time

from sqlalchemy import Connection, delete, insert, select

from genrec.store.database import keys
from genrec.store.database.records import Key
from genrec.store.database.schema import keys as keys_table
from genrec.store.database.schema import sessions

HOURS = 12
"""How long a session lasts."""


def begin(connection: Connection, secret: str) -> str | None:
    """The token of a new session, or None where the secret is that of no key, or of a public one, which all can read.

    Sessions that are over are removed.
    """
    key = keys.row_of(connection, secret)
    if key is None or key.origins:
        return None
    token = secrets.token_urlsafe(32)
    connection.execute(delete(sessions).where(sessions.c.ends_at < time()))
    row = {"digest": _digest(token), "key_id": key.key_id, "ends_at": int(time()) + HOURS * 3600}
    connection.execute(insert(sessions), row)
    return token


def find(connection: Connection, token: str) -> Key | None:
    """The key that a session stands for."""
    own = (sessions.c.digest == _digest(token), sessions.c.ends_at >= time())
    row = connection.execute(select(keys_table).join(sessions).where(*own)).first()
    return None if row is None else keys.key_in(row)


def end(connection: Connection, token: str) -> None:
    """End a session; one that is not there has ended already."""
    connection.execute(delete(sessions).where(sessions.c.digest == _digest(token)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
