"""Reasons: the prompts that ask for them as they are served, and checked sentences behind these to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from genrec.engine.base import begins_answer
from genrec.explain import Cited, facts_of, make_reason, pick_evidence, reason_messages
from genrec.grounding import Facts
from genrec.prompting import Messages, Pack
from genrec.scene import Scene
from genrec.store import Store
from genrec.types import ShownReason
from genrec.wording import Language
from retrieval import Candidate

Origin = Literal["kept", "teacher", "base"]
"""Who wrote sentences to learn from: whatever model served when they were kept, or for training another model or the
base model."""
Outcome = Literal["passed", "ended", "rejected"]
"""What became of a model's words: they passed the check, only ended the template's beginning, or were rejected."""


@dataclass(frozen=True)
class Sentence:
    """A checked reason: its prompt, and the rest of the sentence that stands behind it."""

    user_id: str
    time: datetime | None
    messages: Messages
    rest: str


@dataclass(frozen=True)
class Occasion:
    """A reason that would have been asked for just before a take, of the item that the retriever listed first.

    `facts`: what it may draw on.
    """

    user_id: str
    time: datetime | None
    messages: Messages
    cited: Sequence[Cited]
    facts: Facts = field(compare=False, repr=False)

    def check(self, text: str) -> tuple[Outcome, str]:
        """What serving makes of a model's words behind the prompt, and the reason that is shown."""
        beginning = _beginning(self.messages)
        reason, cause = make_reason(beginning + text, self.cited, self.facts, beginning=beginning)
        if cause:
            return "rejected", reason.text
        return "passed" if reason.source == "llm" else "ended", reason.text

    def sentence(self, text: str) -> Sentence | None:
        """The same to learn from; None where the check did not pass it."""
        outcome, shown = self.check(text)
        rest = _rest(self.messages, shown)
        return Sentence(self.user_id, self.time, self.messages, rest) if outcome == "passed" and rest else None


def occasion_of(scene: Scene, listed: Sequence[Candidate], pack: Pack, history: int, time: datetime | None) -> Occasion:
    """The reason for the first of the listed candidates. `history`: events that a prompt shows."""
    item = listed[0].item
    fields = pack.front("rank", scene.language).user_fields
    cited = pick_evidence(listed[0], scene.world(scene.latest(history), fields))
    messages = reason_messages(pack, item, [part.evidence for part in cited], scene.language)
    names = scene.names(candidate.item for candidate in listed)
    facts = facts_of(item, cited, names, messages[0]["content"], scene.language)
    return Occasion(scene.user.user_id, time, messages, cited, facts)


def kept_sentences(
    shown: Sequence[ShownReason], store: Store, pack: Pack, language: Language, held_back: Callable[[str], bool]
) -> list[Sentence]:
    """Reasons that were shown, behind the prompts that asked for them; none of people who are held back.

    Only those of this version of the pack and in this language, and of items that still begin their sentences so.
    """
    items = {item.item_id: item for item in store.items}
    found = []
    for reason in shown:
        item = items.get(reason.item_id)
        of_this = reason.prompt.version == pack.version and (reason.language or language) == language
        if item is None or not of_this or held_back(reason.user_id):
            continue
        messages = reason_messages(pack, item, reason.evidence, language)
        if rest := _rest(messages, reason.text):
            found.append(Sentence(reason.user_id, reason.time, messages, rest))
    return found


def _beginning(messages: Messages) -> str:
    return messages[-1]["content"] if begins_answer(messages) else ""


def _rest(messages: Messages, text: str) -> str:
    """What stands behind the beginning that a prompt gives; empty where the text begins otherwise."""
    beginning = _beginning(messages)
    return text[len(beginning) :] if text.startswith(beginning) else ""
