"""A list as it grows, as parts of a page: the order at once, then each reason in the place that is kept for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

from genrec.recommender import Recommender
from genrec.server.bodies import AskBody
from genrec.server.pages.cards import Card, cards
from genrec.server.pages.effects import Changes, Judged
from genrec.server.pages.routing import said
from genrec.server.pages.visiting import Visit
from genrec.server.recommending import states
from genrec.server.streaming import as_event
from genrec.types import RankedItem, Recommendation

Compare = Callable[[Recommendation], Awaitable[Changes | None]]
"""What sets a list apart from the one before it."""


async def parts(
    visit: Visit, recommender: Recommender, asked: AskBody, compare: Compare
) -> AsyncGenerator[bytes, None]:
    """`list` with all cards, `order` where the model may have changed it, `reason` for each, `end`; or `problem`."""
    page, answer = _Parts(visit, recommender), None
    try:
        async for state in states(visit.service, visit.desk, asked):
            for part in page.grown(answer, state):
                yield part
            answer = state
        if answer:
            for part in page.end(answer, await compare(answer)):
                yield part
    except Exception as error:  # the status is sent already
        yield as_event("problem", {"problem": said(error, visit.words)})


class _Parts:
    """Events whose data is HTML, by the place that it belongs into."""

    def __init__(self, visit: Visit, recommender: Recommender) -> None:
        self._visit, self._store = visit, recommender.store
        self._shown: set[str] = set()

    def grown(self, before: Recommendation | None, state: Recommendation) -> Iterator[bytes]:
        """What a state has that the one before had not."""
        if before is None:
            yield self._cards("list", state)
        elif before.provisional and not state.provisional:
            yield self._cards("order", state)
        for item in state.items:
            if item.reason and item.item_id not in self._shown:
                self._shown.add(item.item_id)
                yield self._reason(item)

    def end(self, answer: Recommendation, changes: Changes | None) -> Iterator[bytes]:
        """The items that got no reason, and how it all went."""
        yield from (self._reason(item) for item in answer.items if item.item_id not in self._shown)
        effect = self._visit.part("_effect.html.j2", changes=changes, noted=False)
        outcome = self._visit.part("_outcome.html.j2", answer=answer)
        yield as_event("end", {"status": self._status(answer, ended=True), "effect": effect, "outcome": outcome})

    def _cards(self, name: str, state: Recommendation) -> bytes:
        shown = [self._card(card, state) for card in cards(state, self._store)]
        return as_event(name, {"id": state.id, "cards": shown, "status": self._status(state, ended=False)})

    def _card(self, card: Card, state: Recommendation) -> str:
        judged = Judged(state.id, card.item.item_id, waiting=state.provisional)
        return self._visit.part("_card.html.j2", card=card, answer=state, judged=judged)

    def _reason(self, item: RankedItem) -> bytes:
        return as_event("reason", {"rank": item.rank, "html": self._visit.part("_reason.html.j2", reason=item.reason)})

    def _status(self, state: Recommendation, *, ended: bool) -> str:
        return self._visit.part("_status.html.j2", answer=state, ended=ended)
