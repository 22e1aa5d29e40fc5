"""What the model says about letters where the prompt says nothing about items: asked once for each length of list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from genrec.engine import Engine
from genrec.prompting import Pack, content_free
from genrec.types import Usage
from genrec.wording import Language, wording


class Calibration:
    """The biases of one model under one pack, asked for when first needed."""

    def __init__(self, engine: Engine, pack: Pack) -> None:
        self._engine, self._pack = engine, pack
        self._known: dict[tuple[int, Language], Mapping[str, float]] = {}
        self._asking = asyncio.Lock()

    async def bias(
        self, labels: Sequence[str], language: Language, cache_salt: str | None = None
    ) -> tuple[Mapping[str, float], Usage]:
        """Natural log-probability of each label under a content-free prompt, and what asking took (nothing, if known).

        Raises EngineError where the model does not answer.
        """
        async with self._asking:  # windows of one size ask at the same moment
            if known := self._known.get((len(labels), language)):
                return known, Usage()
            nothing = {**content_free(labels), "language": wording(language).name}
            messages = self._pack.render("rank", nothing, language)
            found = await self._engine.score_labels(messages, labels, cache_salt=cache_salt)
            self._known[len(labels), language] = found.logprobs
            return found.logprobs, found.usage
