"""What a page may ask for with a public key, which everybody can read in it."""

from __future__ import annotations

from typing import Annotated

import jwt
from fastapi import Header

from genrec.server.bodies import AskBody
from genrec.server.failures import Forbidden
from genrec.store.database import Key

ANYBODY = "anonymous"
"""The user of those who do not say who they are."""
_ALGORITHM = "HS256"
_LEEWAY_S = 10
"""Two clocks are never the same."""

UserToken = Annotated[
    str | None,
    Header(
        alias="X-User-Token",
        max_length=2000,
        description="With a public key: a JSON Web Token by HS256 with its signing secret, `sub` the user, and `exp`.",
    ),
]


def check_public(key: Key, token: str | None, asked: AskBody) -> None:
    """A public key gives a user's list to a page that proves whose it is, and to anybody a list of nobody.

    Otherwise whoever reads the key could go through all user ids and see, as evidence, what each has done.

    Raises:
        Forbidden: with what to send.
    """
    if not key.public:
        return
    if asked.prompt is not None:
        raise Forbidden(f"key {key.name!r} is public, and gives lists by the prompts that answer: leave prompt out")
    if token is None:
        if asked.profiling or asked.user_id != ANYBODY:
            raise Forbidden(
                f'key {key.name!r} is public: send the user\'s token as X-User-Token, or "profiling": false and '
                f'"user_id": "{ANYBODY}"'
            )
    elif (user_id := _user(key, token)) != asked.user_id:
        raise Forbidden(f"the user token is of {user_id!r}, not of {asked.user_id!r}: send both of one user")


def _user(key: Key, token: str) -> str:
    """Whose a token is. Raises Forbidden."""
    try:
        claims = jwt.decode(
            token,
            key.signing_secret,
            algorithms=[_ALGORITHM],
            leeway=_LEEWAY_S,
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError as error:
        raise Forbidden(
            f"the user token cannot be used: {error}: make a new one with the signing secret of key {key.name!r}"
        ) from error
    user_id: str = claims["sub"]
    return user_id
