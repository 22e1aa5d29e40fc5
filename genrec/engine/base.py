"""What genrec needs of a language model. Nothing above this protocol knows which one it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from genrec.types import Usage

Messages = Sequence[Mapping[str, str]]
"""`role` and `content` of each; a last one of the assistant is the beginning of the answer, to be continued."""


@dataclass(frozen=True)
class Lora:
    """A LoRA adapter that was checked: what a model is called that ranks with it, its folder, and its rank.

    `weight`: the share in the fused score that it earned. `writes`: reasons are written with it, too.
    """

    name: str
    folder: Path
    rank: int
    weight: float = 0.0
    writes: bool = False


@dataclass(frozen=True)
class Sampling:
    """How text is generated. `schema` is a JSON schema that the answer must follow.

    Calls with different `cache_salt` share nothing in the engine's prefix cache.
    """

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    schema: Mapping[str, Any] | None = None
    cache_salt: str | None = None


@dataclass(frozen=True)
class LabelScores:
    """Natural log-probability of each label as the next token, over the whole vocabulary.

    `bounded` holds the labels whose value is only an upper bound, because the server returns just its
    most likely tokens; empty on vLLM.
    """

    logprobs: Mapping[str, float]
    usage: Usage
    bounded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Chunk:
    """A piece of generated text. The last one carries `finish_reason` (stop, length, ...) and the usage."""

    text: str
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)


class Engine(Protocol):
    """A language model. Methods may be awaited together; cancelling one frees its place at once.

    Every method raises EngineError where the model cannot be reached or gives no usable answer, and its
    subclass EngineBusy at once where too many calls wait already.
    """

    @property
    def model(self) -> str:
        """The model's name, as in a recommendation."""

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None
    ) -> LabelScores:
        """Score single-token labels as the first token of the answer, from one prefill."""

    def generate(self, messages: Messages, sampling: Sampling) -> AsyncIterator[Chunk]:
        """Generate an answer, piece by piece."""

    async def count_tokens(self, messages: Messages) -> int:
        """How many tokens the messages make, chat template included."""

    @property
    def max_tokens(self) -> int:
        """The longest prompt and answer together, in tokens."""

    async def check(self) -> None:
        """Make the model produce one token: returns if it did, raises EngineError if not."""

    async def close(self) -> None:
        """Free everything; the engine cannot be used afterwards. Closing twice does nothing."""


class AdaptableEngine(Engine, Protocol):
    """A model that takes adapters while it runs, each under a name, and answers with the one that is named."""

    @property
    def root(self) -> str:
        """What the files of the model are found by: a name that `resolve` knows, or a folder."""

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Take an adapter, under a name that was never used."""

    async def has_adapter(self, name: str) -> bool:
        """Whether an adapter is there: a server that was started again has none of those it took before."""

    async def unload_adapter(self, name: str) -> None:
        """Let go of an adapter, when nothing runs by it any more; of one that is not there, too."""

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None, adapter: str | None = None
    ) -> LabelScores:
        """The same, with the adapter of that name; None is the model as it is."""

    def generate(self, messages: Messages, sampling: Sampling, *, adapter: str | None = None) -> AsyncIterator[Chunk]:
        """The same."""


def begins_answer(messages: Messages) -> bool:
    """True if the last message is the beginning of the answer."""
    return bool(messages) and messages[-1]["role"] == "assistant"


async def collect(pieces: AsyncIterator[Chunk]) -> Chunk:
    """The whole answer as one chunk, with the last piece's finish reason and usage."""
    text, last = [], Chunk("")
    async for piece in pieces:
        text.append(piece.text)
        last = piece
    return Chunk("".join(text), last.finish_reason, last.usage)
