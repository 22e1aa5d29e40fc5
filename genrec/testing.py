"""Parts with the real interfaces and no models: for failures and for fast tests, yours too.

store = tiny_store()
recommender = Recommender.from_store(store, engine=ScriptedEngine(), encoder=FakeEncoder())
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from genrec.engine.base import Chunk, LabelScores, Messages, Sampling
from genrec.store import Store
from genrec.types import Usage
from retrieval import Event, Item, User
from retrieval.encoder import Vectors


class FakeEncoder:
    """Vectors of hashed words: texts that share words are near each other."""

    name = "fake"

    def __init__(self, dimensions: int = 64) -> None:
        self._dimensions = dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().split():
                digest = hashlib.sha256(word.strip(".,:;").encode()).digest()
                vectors[row, digest[0] % self._dimensions] += 1
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


class ScriptedEngine:
    """An engine that answers what it is told to, or fails as it is told to.

    Args:
        scores: log-probability of each label; None scores A highest, then B, and so on.
        text: the answer to every generation; None writes one that follows the schema, or cites the evidence.
        finish_reason: how the answer ends; `length` for one that was cut.
        error: raised by every call. stage: only by `score` or by `generate`.
        delay_s: how long every call takes before it answers.
    """

    def __init__(
        self,
        *,
        scores: Callable[[str], float] | None = None,
        text: str | None = None,
        finish_reason: str = "stop",
        error: Exception | None = None,
        stage: str | None = None,
        delay_s: float = 0,
        max_tokens: int = 4096,
    ) -> None:
        self._scores = scores or (lambda label: -float(ord(label) - ord("A")))
        self._text = text
        self._finish_reason = finish_reason
        self._error = error
        self._stage = stage
        self._delay_s = delay_s
        self._max_tokens = max_tokens
        self.prompts: list[Messages] = []
        self.cache_salts: list[str | None] = []
        self.closed = False

    @property
    def model(self) -> str:
        return "scripted"

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None
    ) -> LabelScores:
        self.cache_salts.append(cache_salt)
        await self._begin("score", messages)
        return LabelScores({label: self._scores(label) for label in labels}, self._usage(messages, 1))

    async def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        self.cache_salts.append(sampling.cache_salt)
        await self._begin("generate", messages)
        text = self._text if self._text is not None else _obedient(messages, sampling)
        for word in text.split(" "):
            yield Chunk(word + " ")
        yield Chunk("", self._finish_reason, self._usage(messages, len(text.split())))

    async def count_tokens(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    async def check(self) -> None:
        await self._begin("check", [])

    async def close(self) -> None:
        self.closed = True

    async def _begin(self, stage: str, messages: Messages) -> None:
        self.prompts.append(messages)
        await asyncio.sleep(self._delay_s)
        if self._error and self._stage in {None, stage}:
            raise self._error

    def _usage(self, messages: Messages, completion: int) -> Usage:
        prompt = sum(len(message["content"].split()) for message in messages)
        return Usage(prompt_tokens=prompt, completion_tokens=completion)


def _obedient(messages: Messages, sampling: Sampling) -> str:
    """What a perfect model would write: a list that follows the schema, or the first evidence in a sentence."""
    if sampling.schema:
        entry: dict[str, Any] = sampling.schema["items"]
        labels = entry["properties"]["label"]["enum"][: sampling.schema["maxItems"]]
        return json.dumps([{"label": label, "reason": ""} for label in labels])
    bullets = [line[2:] for line in messages[-1]["content"].splitlines() if line.startswith("- ")]
    return f"Because {bullets[-1] if bullets else 'you are here'}."


def tiny_store() -> Store:
    """Six items of two kinds, two users who each like one kind, and one of whom nothing is known."""
    topics = {"tea": ("Green tea", "Black tea", "Oolong tea"), "coffee": ("Espresso", "Filter coffee", "Mocha")}
    items = [
        Item(item_id=title.lower().replace(" ", "-"), title=title, categories=(topic,), description=f"{topic} to drink")
        for topic, titles in topics.items()
        for title in titles
    ]
    users = [
        User(user_id="ann", attributes={"age": 31, "city": "Delft"}),
        User(user_id="bob", attributes={"age": 45, "city": "Lyon"}),
        User(user_id="new"),
    ]
    day = datetime(2026, 11, 1, tzinfo=UTC)
    events = [
        Event(user_id="ann", item_id="green-tea", type="purchase", timestamp=day),
        Event(user_id="bob", item_id="espresso", type="rate", value=5, timestamp=day),
    ]
    return Store(items, users, events)
