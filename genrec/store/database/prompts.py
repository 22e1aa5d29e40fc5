"""A tenant's own prompts: versions that never change, and labels that move between them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from genrec.errors import Conflict, NotFound
from genrec.store.database.records import KeptVersion, LabelMove
from genrec.store.database.rows import decode_mapping, encode, now, same
from genrec.store.database.schema import label_moves, prompts, tenants
from genrec.store.database.turn import Turn, View


def keep(turn: Turn, name: str, version: str, files: Mapping[str, str]) -> None:
    """Keep a version for ever. Raises Conflict where it is there with other files."""
    text = encode(f"prompt {name!r}", files)
    kept = _files(turn, name, version)
    if kept is not None and not same(kept, text):
        raise Conflict(f"version {version!r} of prompt {name!r} is kept with other files: give these their own version")
    if kept is None:
        row = {"tenant": turn.tenant, "name": name, "version": version, "files": text, "created_at": now()}
        turn.connection.execute(insert(prompts), row)


def files(view: View, name: str, version: str) -> Mapping[str, str]:
    """The files of a version by their names. Raises NotFound."""
    kept = _files(view, name, version)
    if kept is None:
        raise NotFound(f"no version {version!r} of prompt {name!r} is kept: keep it first, or correct its name")
    return decode_mapping(kept)


def versions(view: View, name: str) -> list[KeptVersion]:
    """Every version that is kept, oldest first."""
    kept = view.of(prompts, "version", "created_at").where(prompts.c.name == name).order_by(prompts.c.created_at)
    return [KeptVersion(row.version, datetime.fromisoformat(row.created_at)) for row in view.all(kept)]


def names(view: View) -> list[str]:
    """Every prompt of which a version is kept."""
    return [row.name for row in view.all(view.of(prompts, "name").distinct().order_by(prompts.c.name))]


def move(turn: Turn, name: str, label: str, version: str, *, by: str, expected: str | None) -> LabelMove:
    """Put a label on a version, if it still stands where the mover believes.

    Raises:
        Conflict: it stands elsewhere; somebody else has moved it.
        NotFound: the version is not kept.
    """
    files(turn, name, version)
    last = [made for made in moves(turn, name) if made.label == label][-1:]
    stands = last[0].version if last else None
    if stands != expected:
        raise Conflict(f"label {label!r} of prompt {name!r} stands at {stands!r}, not {expected!r}: look again")
    made = LabelMove(label, version, now(), by)
    turn.connection.execute(
        insert(label_moves), {"tenant": turn.tenant, "seq": turn.next(), "name": name, **vars(made)}
    )
    return made


def moves(view: View, name: str) -> list[LabelMove]:
    """Every move of every label of a prompt, oldest first."""
    made = view.of(label_moves, "label", "version", "time", "by").where(label_moves.c.name == name)
    return [LabelMove(**row._mapping) for row in view.all(made.order_by(label_moves.c.seq))]


def contest(view: View) -> Mapping[str, Any] | None:
    """How versions compete, None where they do not."""
    [text] = view.connection.execute(select(tenants.c.contest).where(tenants.c.name == view.tenant)).scalars()
    return decode_mapping(text) if text else None


def set_contest(turn: Turn, contest: Mapping[str, Any] | None) -> None:
    """Let versions compete from now on, or with None no more."""
    text = encode("the contest", contest) if contest else None
    turn.connection.execute(update(tenants).where(tenants.c.name == turn.tenant).values(contest=text))


def _files(view: View, name: str, version: str) -> str | None:
    own = view.of(prompts, "files").where(prompts.c.name == name, prompts.c.version == version)
    return None if (row := view.first(own)) is None else row.files
