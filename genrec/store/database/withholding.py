"""Attributes that a user wants nobody to use: they are kept, and no list is made with them."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import update

from genrec.errors import NotFound
from genrec.store.database.rows import encode_names
from genrec.store.database.schema import users
from genrec.store.database.turn import Turn, View
from retrieval.types import User


def withhold(turn: Turn, user_id: str, names: Collection[str]) -> list[str]:
    """Use all attributes but these from now on. What was counted with them is counted anew. Raises NotFound."""
    kept = sorted(set(names))
    own = (users.c.tenant == turn.tenant, users.c.user_id == user_id)
    row = {"withheld": encode_names(f"user {user_id!r}", kept), "seq": turn.next()}
    if not turn.connection.execute(update(users).where(*own).values(row)).rowcount:
        raise _unknown(user_id)
    turn.epoch += 1
    return kept


def withheld(view: View, user_id: str) -> list[str]:
    """The names of a user's attributes that are not used. Raises NotFound."""
    row = view.first(view.of(users, "withheld").where(users.c.user_id == user_id))
    if row is None:
        raise _unknown(user_id)
    return _names(row.withheld)


def usable(user: User, names: str | None) -> User:
    """A user without what they withhold."""
    hidden = _names(names)
    rest = {name: value for name, value in user.attributes.items() if name not in hidden}
    return user.model_copy(update={"attributes": rest}) if hidden else user


def _names(text: str | None) -> list[str]:
    found: list[str] = json.loads(text) if text else []
    return found


def _unknown(user_id: str) -> NotFound:
    return NotFound(f"no user {user_id!r}: add it first, or correct the id")
