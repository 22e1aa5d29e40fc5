"""What has to be said, whatever the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

Language = Literal["en", "zh"]


class Wording(Protocol):
    """The words of one language. Titles, names and values are put in as they are, whatever their language."""

    name: str
    """The language's name in English, for a prompt."""

    def event(self, type_: str, title: str, value: float | None, days: int | None) -> str:
        """What a user did with an item, and how many days ago (None: unknown, or too long ago to matter)."""

    def field(self, name: str) -> str:
        """What an attribute or a field of the context is called."""

    def fact(self, name: str, value: str) -> str:
        """An attribute of the user, or a field of the context."""

    def instruction(self, words: str) -> str:
        """What the user asked for."""

    def takers(self, count: int) -> str:
        """How many people chose the item."""

    def listed(self, title: str) -> str:
        """That the item is there at all: all that can be said of it where nothing is known of anybody."""

    def link(self, signal: str, shared: str) -> str:
        """How an item of the user's past speaks for this one; `shared` is a category of both, or empty.

        Empty where the signal needs no words.
        """

    def reason(self, texts: Sequence[str], links: Sequence[str]) -> str:
        """A sentence of evidence, each with its link or an empty one."""

    def opening(self, texts: Sequence[str], title: str) -> str:
        """The beginning of a sentence that cites the evidence and names the item, for a model to continue."""

    def alike(self, signal: str) -> str:
        """What two similar items have in common."""

    def signal(self, name: str) -> str:
        """What a signal sees in an item."""

    def not_shown(self, title: str, cause: str) -> str:
        """Why an item cannot be recommended: `seen` or `filter`."""

    def shown(self, title: str, rank: int) -> str:
        """That an item is recommended, and where."""

    def behind(self, title: str, rank: int | None, of: int, lacks: Sequence[str]) -> str:
        """Where an item stands (None: behind all `of` that were looked at), and what those above it have more of."""

    def contrast(self, better: str, other: str, because: Sequence[str]) -> str:
        """Which of two items is ahead, and by what, strongest first; `because` is empty for a tie."""

    def model_share(self, model: str, weight: float, origin: str) -> str:
        """What part of a score is the language model's, and who says so (see `genrec.types.ModelShare`)."""

    def unprofiled(self) -> str:
        """How to get a list that uses nothing of what is known of the user."""
