"""Events on their way to the disk: the moment of those that name none, and the list that each belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from genrec.errors import Conflict, DataError
from genrec.server.bodies import EventBody
from genrec.server.desk import Desk
from genrec.store.database import Stored, Tenant
from retrieval import Event

Outcome = Stored | DataError


async def acknowledge(desk: Desk, sent: Sequence[EventBody]) -> list[Outcome]:
    """Keep events and know them. Returns what became of each. Raises StoreError, and then none is kept.

    An event without a timestamp happened when it was first sent: sent again, it gets that moment again.
    """
    outcomes = await _keep(desk, sent)
    await desk.after_write()
    again = [place for place, outcome in enumerate(outcomes) if _may_be_repeated(sent[place], outcome)]
    if again:  # somebody sent the same a moment ago; now their moment is known
        for place, outcome in zip(again, await _keep(desk, [sent[place] for place in again]), strict=True):
            outcomes[place] = outcome
    return outcomes


def _may_be_repeated(sent: EventBody, outcome: Outcome) -> bool:
    return isinstance(outcome, Conflict) and sent.timestamp is None


async def _keep(desk: Desk, sent: Sequence[EventBody]) -> list[Outcome]:
    return await desk.write(_add, desk.tenant, [(desk.dated(body.event()), body) for body in sent])


def _add(tenant: Tenant, sent: Sequence[tuple[Event, EventBody]]) -> list[Outcome]:
    """One transaction for each list that events name, in their order."""
    outcomes: dict[int, Outcome] = {}
    for named in dict.fromkeys(body.recommendation_id for _, body in sent):
        places = [place for place, (_, body) in enumerate(sent) if body.recommendation_id == named]
        found = tenant.add_events([sent[place][0] for place in places], recommendation_id=named)
        outcomes |= zip(places, found, strict=True)
    return [outcomes[place] for place in range(len(sent))]
