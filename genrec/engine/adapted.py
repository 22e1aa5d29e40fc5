"""A model with an adapter in it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Self

from genrec.engine.base import AdaptableEngine, Chunk, LabelScores, Lora, Messages, Sampling


class Adapted:
    """An engine that scores labels with an adapter, and writes sentences with it if it was trained on them.

    What follows a schema is as the model does it without. `base`: the engine without it, which runs on when it is
    unloaded.
    """

    def __init__(self, engine: AdaptableEngine, model: str, name: str, *, writes: bool = False) -> None:
        self.base = engine
        self._model = model
        self._name = name
        self._writes = writes

    @classmethod
    async def load(cls, engine: AdaptableEngine, adapter: Lora) -> Self:
        """Put an adapter into a running engine. Raises EngineError where it is not taken.

        Its name there is new each time: another process may have loaded the same adapter into the same server, and
        vLLM takes what has one name for one adapter.
        """
        name = f"{adapter.name}:{secrets.token_hex(4)}"
        await engine.load_adapter(name, adapter.folder)
        return cls(engine, adapter.name, name, writes=adapter.writes)

    @property
    def model(self) -> str:
        return self._model

    @property
    def max_tokens(self) -> int:
        return self.base.max_tokens

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None
    ) -> LabelScores:
        return await self.base.score_labels(messages, labels, cache_salt=cache_salt, adapter=self._name)

    def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        adapter = self._name if self._writes and sampling.schema is None else None
        return self.base.generate(messages, sampling, adapter=adapter)

    async def count_tokens(self, messages: Messages) -> int:
        return await self.base.count_tokens(messages)

    async def check(self) -> None:
        await self.base.check()

    async def is_loaded(self) -> bool:
        """Whether the adapter is still in the engine. Raises EngineError where that cannot be found out."""
        return await self.base.has_adapter(self._name)

    async def unload(self) -> None:
        """Take the adapter out of the engine, which runs on. Raises EngineError where that fails."""
        await self.base.unload_adapter(self._name)

    async def close(self) -> None:
        try:
            await self.unload()
        finally:
            await self.base.close()
