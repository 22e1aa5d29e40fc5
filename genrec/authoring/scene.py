"""A request with all that any template of a pack can ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from genrec.prompting import DESCRIPTION, Subject, item_data
from genrec.ranking import LABELS
from genrec.wording import Language, wording
from retrieval import Event, Item

EVENTS = 10
"""Of a history, as in `Config`."""


@dataclass(frozen=True)
class Scene:
    """A sample with what it names, or a request that no sample makes."""

    name: str
    request: Subject
    candidates: Sequence[Item]
    language: Language
    because: Event | None

    def data(self, events: int = EVENTS, description: int = DESCRIPTION) -> dict[str, Any]:
        """What a template sees."""
        labelled = dict(zip(LABELS, self.candidates, strict=False))
        item, words = item_data(self.candidates[0]), wording(self.language)
        text = self._evidence(item["title"])
        about = {"item": item, "evidence": [{"text": text}], "opening": words.opening([text], item["title"])}
        return {**self.request.data(labelled, events, description), **about}

    def rotated(self) -> Scene:
        """The same with the candidates in another order."""
        return replace(self, candidates=[*self.candidates[1:], self.candidates[0]])

    def but(self, **changes: Any) -> Scene:
        """The same but for some of the request: `but(history=())` is of somebody who has done nothing yet."""
        return replace(self, request=replace(self.request, **changes))

    def _evidence(self, title: str) -> str:
        words, event = wording(self.language), self.because
        if event is None:
            return words.listed(title)
        past = item_data(self.request.item(event.item_id))
        return words.event(event.type, past["title"], event.value, None)
