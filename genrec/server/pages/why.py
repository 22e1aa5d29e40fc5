"""Why an item: what was used, what mattered most, what would change it, and what somebody can do about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Query
from fastapi.responses import Response

from genrec.errors import NotFound
from genrec.recommender import Recommender
from genrec.server.bodies import AskBody
from genrec.server.fields import parsed
from genrec.server.pages.routing import pages
from genrec.server.pages.visiting import Reading, Visit, Writing
from genrec.types import Contrast, Influences, RankedItem, Recommendation
from genrec.wording import wording

_HISTORY = 1000
_STRONG = 6
"""Influences that are shown at once."""
_SEEN = 0.0005
"""Less than this would read 0.000."""

router = pages("/why")


@dataclass(frozen=True)
class Shown:
    """An item of a list that was kept, the request for it, and all other items that it showed."""

    answer: Recommendation
    asked: AskBody
    ranked: RankedItem

    @property
    def others(self) -> list[RankedItem]:
        """The rest of the list."""
        return [item for item in self.answer.items if item.item_id != self.ranked.item_id]

    @property
    def address(self) -> str:
        """This page."""
        return f"/pages/why?{urlencode({'list_id': self.answer.id, 'item_id': self.ranked.item_id})}"

    @property
    def back(self) -> str:
        """The request as the form's address says it."""
        asked, context = self.asked, self.asked.context.fields()
        named = {name: context.pop(name, "") for name in ("place", "device", "time")}
        more = ", ".join(f"{name}={value}" for name, value in context.items())
        fields = {"user_id": asked.user_id, "instruction": asked.instruction, **named, "other": more, "n": str(asked.n)}
        fields["unprofiled"] = "" if asked.profiling else "true"
        return urlencode({name: value for name, value in fields.items() if value})

    @property
    def unprofiled(self) -> str:
        """The same request without anything that is known of the user."""
        asked = {"user_id": self.asked.user_id, "instruction": self.asked.instruction, "unprofiled": "true"}
        return f"/pages/recommendations?{urlencode(asked)}"


@router.get("")
async def show(
    visit: Reading, list_id: str, item_id: str, other: Annotated[str, Query(alias="with")] = "", done: str = ""
) -> Response:
    """The page of one item of a list; `with` names another one to set it against, `done` what was just changed."""
    shown = await _shown(visit, list_id, item_id)
    recommender = await visit.desk.current()
    found, contrast = await asyncio.to_thread(_look, recommender, shown, other)
    withheld = await visit.desk.read(visit.desk.tenant.withheld, shown.asked.user_id) if shown.asked.profiling else []
    return visit.page(
        "why.html.j2",
        shown=shown,
        item=recommender.store.item(item_id),
        found=found,
        strong=found.influences[:_STRONG],
        weak=[influence for influence in found.influences[_STRONG:] if abs(influence.value) >= _SEEN],
        strongest=max((abs(influence.value) for influence in found.influences), default=0) or 1,
        wording=wording(visit.words.language),
        contrast=contrast,
        other=other,
        withheld=withheld,
        parameters=recommender.parameters(),
        attributes=recommender.store.user(shown.asked.user_id).attributes if shown.asked.profiling else {},
        events=len(recommender.store.history(shown.asked.user_id)) if shown.asked.profiling else 0,
        done=done,
    )


@router.delete("/event")
async def forget(visit: Writing, list_id: str, item_id: str, ref: str) -> Response:
    """Forget an event of the user whom the list was for."""
    shown = await _shown(visit, list_id, item_id)
    history = await visit.desk.read(visit.desk.tenant.history, shown.asked.user_id, _HISTORY)
    if ref not in {event.event_id for event in history}:
        raise NotFound("this event is forgotten already")
    await visit.desk.write(visit.desk.tenant.delete_event, ref)
    await visit.desk.after_removal()
    return _again(shown, "forgotten")


@router.post("/withheld")
async def withhold(
    visit: Writing,
    list_id: Annotated[str, Form()],
    item_id: Annotated[str, Form()],
    name: Annotated[str, Form()],
    use: Annotated[bool, Form()] = False,
) -> Response:
    """Use an attribute of the user no more, or again."""
    shown = await _shown(visit, list_id, item_id)
    user_id, tenant = shown.asked.user_id, visit.desk.tenant
    async with visit.desk.changing:
        before = set(await visit.desk.read(tenant.withheld, user_id))
        await visit.desk.write(tenant.withhold, user_id, before - {name} if use else before | {name})
    await visit.desk.after_removal()
    return _again(shown, "used" if use else "withheld")


async def _shown(visit: Visit, list_id: str, item_id: str) -> Shown:
    """Raises NotFound."""
    saved = await visit.desk.read(visit.desk.tenant.recommendation, list_id)
    for ranked in saved.recommendation.items:
        if ranked.item_id == item_id:
            return Shown(saved.recommendation, parsed(AskBody, dict(saved.request)), ranked)
    raise NotFound("this item is not in that list")


def _look(recommender: Recommender, shown: Shown, other: str) -> tuple[Influences, Contrast | None]:
    asked, item_id = shown.asked, shown.ranked.item_id
    found = recommender.influences(
        asked.user_id,
        item_id,
        context=asked.context,
        instruction=asked.instruction,
        filter=asked.filter,
        language=asked.language,
        profiling=asked.profiling,
    )
    if not (other and asked.profiling):
        return found, None
    return found, recommender.contrast(
        asked.user_id,
        item_id,
        other,
        context=asked.context,
        instruction=asked.instruction,
        language=asked.language,
    )


def _again(shown: Shown, done: str) -> Response:
    """The page once more, which counts everything anew."""
    return Response(status_code=204, headers={"HX-Redirect": f"{shown.address}&done={done}"})
