"""Items and users: put, changed, read, removed, one by one or many at once; what is held on a user, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body
from fastapi.responses import Response
from pydantic import BaseModel

from genrec.errors import DataError
from genrec.server.access import Admin, Reader, Writer
from genrec.server.bodies import (
    ItemBody,
    ItemChange,
    ItemPage,
    ItemsBody,
    Row,
    Rows,
    UserBody,
    UserChange,
    UserPage,
    UsersBody,
    WithheldBody,
)
from genrec.server.failures import problem
from genrec.server.fields import After, Limit, PathId, parsed
from genrec.server.merging import merge
from genrec.server.routes.common import as_json, errors
from retrieval import Item, User

_T = TypeVar("_T", Item, User)
_MERGE = Body(media_type="application/merge-patch+json")

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/items", responses=errors())
async def list_items(desk: Reader, after: After = "", limit: Limit = 100) -> ItemPage:
    """Items in the order of their ids."""
    found = await desk.read(desk.tenant.items, after, limit)
    return ItemPage(items=found, next=found[-1].item_id if len(found) == limit else None)


@router.post("/items/batch", response_model_exclude_none=True, responses=errors())
async def put_items(desk: Writer, asked: ItemsBody) -> Rows:
    """Add or replace many items; a row that cannot be used is refused by itself."""
    rows, good = _sorted_out(asked.items, _item_of_row, lambda item: item.item_id)
    if good:
        await desk.write(desk.tenant.put_items, good)
        await desk.after_write()
    return Rows(results=rows)


@router.get("/items/{item_id}", response_model=Item, responses=errors(404))
async def read_item(desk: Reader, item_id: PathId) -> Response:
    """An item."""
    return as_json(await desk.read(desk.tenant.item, item_id))


@router.put("/items/{item_id}", response_model=Item, responses=errors())
async def put_item(desk: Writer, item_id: PathId, asked: ItemBody) -> Response:
    """Add an item, or replace the one with this id."""
    item = asked.item(_same("item_id", item_id, asked.item_id))
    await desk.write(desk.tenant.put_items, [item])
    await desk.after_write()
    return as_json(item)


@router.patch("/items/{item_id}", response_model=Item, responses=errors(404))
async def change_item(desk: Writer, item_id: PathId, change: Annotated[ItemChange, _MERGE]) -> Response:
    """Change some fields of an item (JSON merge patch, RFC 7396): null removes one."""
    async with desk.changing:
        found = await desk.read(desk.tenant.item, item_id)
        changed = parsed(ItemBody, merge(found.model_dump(mode="json"), _said(change)))
        item = changed.item(_same("item_id", item_id, changed.item_id))
        await desk.write(desk.tenant.put_items, [item])
    await desk.after_write()
    return as_json(item)


@router.delete("/items/{item_id}", status_code=204, responses=errors(404))
async def delete_item(desk: Writer, item_id: PathId) -> None:
    """Remove an item and the events with it."""
    await desk.write(desk.tenant.delete_item, item_id)
    await desk.after_removal()


@router.get("/users", tags=["users"], responses=errors())
async def list_users(desk: Reader, after: After = "", limit: Limit = 100) -> UserPage:
    """Users in the order of their ids."""
    found = await desk.read(desk.tenant.users, after, limit)
    return UserPage(users=found, next=found[-1].user_id if len(found) == limit else None)


@router.post("/users/batch", response_model_exclude_none=True, responses=errors())
async def put_users(desk: Writer, asked: UsersBody) -> Rows:
    """Add or replace many users; a row that cannot be used is refused by itself."""
    rows, good = _sorted_out(asked.users, _user_of_row, lambda user: user.user_id)
    if good:
        await desk.write(desk.tenant.put_users, good)
        await desk.after_write()
    return Rows(results=rows)


@router.get("/users/{user_id}", response_model=User, responses=errors(404))
async def read_user(desk: Reader, user_id: PathId) -> Response:
    """A user."""
    return as_json(await desk.read(desk.tenant.user, user_id))


@router.put("/users/{user_id}", response_model=User, responses=errors())
async def put_user(desk: Writer, user_id: PathId, asked: UserBody) -> Response:
    """Add a user, or replace the one with this id."""
    user = asked.user(_same("user_id", user_id, asked.user_id))
    await desk.write(desk.tenant.put_users, [user])
    await desk.after_write()
    return as_json(user)


@router.patch("/users/{user_id}", response_model=User, responses=errors(404))
async def change_user(desk: Writer, user_id: PathId, change: Annotated[UserChange, _MERGE]) -> Response:
    """Change some attributes of a user (JSON merge patch, RFC 7396): null removes one."""
    async with desk.changing:
        found = await desk.read(desk.tenant.user, user_id)
        changed = parsed(UserBody, merge(found.model_dump(mode="json"), _said(change)))
        user = changed.user(_same("user_id", user_id, changed.user_id))
        await desk.write(desk.tenant.put_users, [user])
    await desk.after_write()
    return as_json(user)


@router.get("/users/{user_id}/withheld", tags=["users"], responses=errors(404))
async def read_withheld(desk: Reader, user_id: PathId) -> WithheldBody:
    """The attributes of a user that are not used."""
    return WithheldBody(attributes=await desk.read(desk.tenant.withheld, user_id))


@router.put("/users/{user_id}/withheld", tags=["users"], responses=errors(404))
async def withhold(desk: Writer, user_id: PathId, asked: WithheldBody) -> WithheldBody:
    """Keep these attributes of a user and use all but them, whoever puts the user later: none for an empty list."""
    kept = await desk.write(desk.tenant.withhold, user_id, asked.attributes)
    await desk.after_removal()
    return WithheldBody(attributes=kept)


class ErasedRows(BaseModel):
    """How many rows were removed, by what they held; and the adapters that saw the user.

    Those are marked: none of them is promoted any more, and one that ranks does so until another is.
    """

    users: int
    items: int
    events: int
    recommendations: int
    feedback: int
    adapters: list[str]


@router.delete("/users/{user_id}", responses=errors())
async def erase_user(desk: Admin, user_id: PathId) -> ErasedRows:
    """Erase everything that is held on a user, from the files of the database too. Asking again does no harm."""
    marked = await desk.forget(user_id)
    try:
        erased = await desk.write(desk.tenant.erase_user, user_id)
    finally:
        await desk.after_removal()  # also where the rows are gone and the files could not be cleaned
    return ErasedRows(**vars(erased), adapters=marked)


@router.get("/users/{user_id}/export", responses=errors(404))
async def export_user(desk: Admin, user_id: PathId) -> dict[str, Any]:
    """Everything that is held on a user."""
    return await desk.read(desk.tenant.export_user, user_id)


def _sorted_out(rows: list[Any], read: Callable[[Any], _T], name: Callable[[_T], str]) -> tuple[list[Row], list[_T]]:
    """What becomes of each row, and the records of those that are good; of two with one id the first counts."""
    outcomes, good = [], {}
    for row in rows:
        try:
            record = read(row)
            if name(record) in good:
                raise DataError(f"id {name(record)!r} is there twice: keep one of the two")
            good[name(record)] = record
            outcomes.append(Row(id=name(record)))
        except Exception as error:
            outcomes.append(Row(error=problem(error)))
    return outcomes, list(good.values())


def _item_of_row(row: Any) -> Item:
    body = parsed(ItemBody, row)
    return body.item(_named("item_id", body.item_id))


def _user_of_row(row: Any) -> User:
    body = parsed(UserBody, row)
    return body.user(_named("user_id", body.user_id))


def _named(field: str, given: str | None) -> str:
    if given is None:
        raise DataError(f"field {field!r} is missing: each row of a batch has its own")
    return given


def _said(change: BaseModel) -> dict[str, Any]:
    """What a change names; null stands for itself."""
    return change.model_dump(mode="json", exclude_unset=True)


def _same(field: str, in_path: str, in_body: str | None) -> str:
    """The id of the path, which the body may repeat."""
    if in_body not in {None, in_path}:
        raise DataError(f"{field} is {in_body!r} in the body and {in_path!r} in the path: leave it out of the body")
    return in_path
