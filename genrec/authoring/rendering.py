"""What a sample makes of a template: the messages, their tokens, and what the budget cut."""

from __future__ import annotations

from dataclasses import dataclass

from genrec.authoring.scene import EVENTS, Scene
from genrec.budget import Cut, cuts
from genrec.engine import TokenCounter
from genrec.prompting import DESCRIPTION, Messages, Pack, RenderError, Task

EVERYTHING = Cut(EVENTS)


@dataclass(frozen=True)
class Rendered:
    """`tokens` of each message by itself, `total` of the prompt with its chat template; `events` were there to show."""

    messages: Messages
    tokens: tuple[int, ...]
    total: int
    cut: Cut
    events: int
    allowed: int | None

    @property
    def fits(self) -> bool:
        """Whether the budget holds, after everything has been cut that may be."""
        return self.allowed is None or self.total <= self.allowed

    def shortened(self) -> str:
        """What the budget cut, in words; empty where nothing was."""
        parts = []
        if self.cut.description < DESCRIPTION:
            parts.append(f"descriptions to {self.cut.description} of {DESCRIPTION} characters")
        if self.cut.events < self.events:
            parts.append(f"the history to {self.cut.events} of {self.events} events")
        return " and ".join(parts)


def messages_of(pack: Pack, task: Task, scene: Scene, cut: Cut = EVERYTHING) -> Messages:
    """What a template makes of a sample. Raises RenderError, which names the sample."""
    try:
        return pack.render(task, scene.data(cut.events, cut.description), scene.language)
    except RenderError as error:
        raise RenderError(pack.home, error.file, error.line, error.cause, scene.name) from error


def render(pack: Pack, task: Task, scene: Scene, tokens: TokenCounter) -> Rendered:
    """Render a template for a sample as a request would: cut step by step until the budget holds.

    Raises:
        RenderError: the template fails.
    """
    budget = pack.front(task, scene.language).budget
    events = min(EVENTS, len(scene.request.history))
    for cut in cuts(events, budget.drop):
        messages = messages_of(pack, task, scene, cut)
        total = tokens.of(messages)
        if budget.tokens is None or total <= budget.tokens:
            break
    each = tokens.of_texts([message["content"] for message in messages])
    return Rendered(messages, tuple(each), total, cut, events, budget.tokens)
