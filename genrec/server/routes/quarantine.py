"""What is held back because it came in a burst: seen by those who run the tenant, and released by them."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from genrec.server.access import Admin
from genrec.server.fields import PathId
from genrec.server.routes.common import errors
from retrieval.guards import Cause, Held

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])


class Burst(BaseModel):
    """Takes of one user, or of one item by many users, that count for their users alone until `until`."""

    kind: Cause
    id: str
    takes: int
    users: list[str]
    items: list[str]
    since: datetime
    until: datetime


class Bursts(BaseModel):
    """What is held back, the most takes first."""

    bursts: list[Burst]


@router.get("", responses=errors(409))
async def list_bursts(desk: Admin) -> Bursts:
    """What is held back."""
    quarantine = (await desk.current()).retriever.knowledge.quarantine
    groups: dict[tuple[Cause, str], list[Held]] = {}
    for held in quarantine.held if quarantine else ():
        groups.setdefault((held.cause, held.of), []).append(held)
    bursts = [_burst(kind, name, held) for (kind, name), held in groups.items()]
    return Bursts(bursts=sorted(bursts, key=lambda burst: -burst.takes))


@router.put("/users/{user_id}", status_code=204, responses=errors(404))
async def release_user(desk: Admin, user_id: PathId) -> None:
    """Let all that a user does count for others, however much it is in a day."""
    await desk.write(desk.tenant.release, "user", user_id)
    await desk.after_write()


@router.put("/items/{item_id}", status_code=204, responses=errors(404))
async def release_item(desk: Admin, item_id: PathId) -> None:
    """Let every take of an item count for others, however many come in a day."""
    await desk.write(desk.tenant.release, "item", item_id)
    await desk.after_write()


def _burst(kind: Cause, name: str, held: list[Held]) -> Burst:
    return Burst(
        kind=kind,
        id=name,
        takes=len(held),
        users=sorted({one.event.user_id for one in held}),
        items=sorted({one.event.item_id for one in held}),
        since=min(one.since for one in held),
        until=max(one.until for one in held),
    )
