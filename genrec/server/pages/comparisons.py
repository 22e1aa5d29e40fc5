"""Two versions of prompts side by side: what they send, what the model answers, and which is better."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Query
from fastapi.responses import Response

from genrec.prompting import Pack
from genrec.server.bodies import AskBody
from genrec.server.fields import Id, parsed
from genrec.server.pages.rendering import html
from genrec.server.pages.routing import pages
from genrec.server.pages.trials import USERS, Trials
from genrec.server.pages.visiting import Administering, Reading, Visit
from genrec.server.recommending import try_out
from genrec.types import RankedItem, Recommendation
from retrieval.fit import FEWEST_CASES

_SAMPLE_USERS = 3
_MOST_USERS = 10
_SHOWN = 5

router = pages("/prompts/compare")


@dataclass(frozen=True)
class Place:
    """A place of a list beside the other list. `before`: where the item stands there; None is nowhere."""

    item: RankedItem
    before: int | None
    reworded: bool


@router.get("")
async def show(visit: Reading, name: Id, a: Id, b: Id, users: Annotated[str, Query(max_length=4000)] = "") -> Response:
    """Both versions, and the users who are asked about; the first ones, where none is named."""
    before, after = await _packs(visit, name, a, b)
    versions = await visit.desk.read(visit.desk.prompts.versions, name)
    named = [user.strip() for user in users.split(",") if user.strip()][:_MOST_USERS]
    if not named:
        named = [user.user_id for user in await visit.desk.read(visit.desk.tenant.users, "", _SAMPLE_USERS)]
    return visit.page(
        "compare.html.j2",
        name=name,
        a=before,
        b=after,
        versions=versions[::-1],
        users=named,
        trial=_trials(visit).find(visit.desk.tenant.name, before, after),
        most=USERS,
        fewest=FEWEST_CASES,
    )


@router.get("/answers")
async def answers(visit: Reading, name: Id, a: Id, b: Id, user_id: Id) -> Response:
    """The answers of both for one user, from the model, which are not kept."""
    packs = await _packs(visit, name, a, b)
    asked = parsed(AskBody, {"user_id": user_id, "n": _SHOWN, "language": visit.words.language})
    first, second = await asyncio.gather(*(try_out(visit.service, visit.desk, asked, pack) for pack in packs))
    sides = (("a", first, _places(first, second)), ("b", second, _places(second, first)))
    return html(visit.part("_answers.html.j2", user_id=user_id, sides=sides, same=_same(first, second)))


@router.post("/trial")
async def begin(
    visit: Administering, name: Annotated[Id, Form()], a: Annotated[Id, Form()], b: Annotated[Id, Form()]
) -> Response:
    """Begin to ask both about the same users. Raises Conflict where the tenant compares others."""
    before, after = await _packs(visit, name, a, b)
    _trials(visit).begin(visit.desk, before, after)
    return _trial(visit, before, after)


@router.get("/trial")
async def follow(visit: Reading, name: Id, a: Id, b: Id) -> Response:
    """How far it is, or what was found."""
    return _trial(visit, *await _packs(visit, name, a, b))


async def _packs(visit: Visit, name: str, a: str, b: str) -> tuple[Pack, Pack]:
    prompts = visit.desk.prompts
    return await visit.desk.read(prompts.pack, name, a), await visit.desk.read(prompts.pack, name, b)


def _trials(visit: Visit) -> Trials:
    """Those of this service."""
    found: Trials = visit.request.app.state.trials
    return found


def _trial(visit: Visit, a: Pack, b: Pack) -> Response:
    found = _trials(visit).find(visit.desk.tenant.name, a, b)
    return html(visit.part("_trial.html.j2", trial=found, name=a.name, a=a, b=b, fewest=FEWEST_CASES))


def _places(own: Recommendation, other: Recommendation) -> Sequence[Place]:
    there = {item.item_id: item for item in other.items}
    return [
        Place(
            item,
            there[item.item_id].rank if item.item_id in there else None,
            item.item_id in there and _text(there[item.item_id]) != _text(item),
        )
        for item in own.items
    ]


def _same(first: Recommendation, second: Recommendation) -> bool:
    """Whether both answers read the same."""
    return [(item.item_id, _text(item)) for item in first.items] == [
        (item.item_id, _text(item)) for item in second.items
    ]


def _text(item: RankedItem) -> str:
    return item.reason.text if item.reason else ""
