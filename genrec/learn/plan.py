"""Everything that decides what comes out of a training run, written down before it begins."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from genrec.errors import DataError
from genrec.learn.examples import PARTS, Example, Examples, Sampling
from genrec.learn.sentences import Sentence
from genrec.learn.shape import Shape
from genrec.types import PromptVersion

_FILE = "plan.json"


class Schedule(BaseModel):
    """How long and how fast is trained. `batch`: examples a step. `side_by_side`: of them at once, as memory allows.

    Every `look` steps at most `looked` lists of validation are looked at; when their loss has not fallen for `patience`
    looks, training ends. The rate rises over the first `warm_up` steps and falls as a cosine. With each step go
    `sentences` reasons, whose loss counts `reason_weight`; 0 trains on none. `preference_rate` and `beta` are of what
    follows where lists were answered: `preferring`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=2, ge=1)
    batch: int = Field(default=16, ge=1)
    side_by_side: int = Field(default=4, ge=1)
    rate: float = Field(default=1e-3, gt=0)
    warm_up: int = Field(default=5, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    look: int = Field(default=20, ge=1)
    looked: int = Field(default=100, ge=1)
    patience: int = Field(default=3, ge=1)
    sentences: int = Field(default=4, ge=1)
    reason_weight: float = Field(default=0.5, ge=0)
    preference_rate: float = Field(default=1e-4, gt=0)
    beta: float = Field(default=0.1, gt=0)
    seed: int = 0

    def steps(self, count: int) -> int:
        """At most, over so many examples."""
        return self.epochs * math.ceil(count / self.batch)

    def watched(self, validation: Sequence[Example]) -> Sequence[Example]:
        """Those that are looked at, from the first to the last."""
        return validation[:: math.ceil(len(validation) / self.looked)]

    def drawn(self, count: int, size: int, step: int) -> list[int]:
        """Which of so many examples belong to a step of this size: every epoch has an order of its own."""
        epoch, place = divmod(step, math.ceil(count / size))
        order = random.Random(f"{self.seed} {epoch}").sample(range(count), count)
        return order[place * size : (place + 1) * size]


class Plan(BaseModel):
    """Two runs with equal plans give equal adapters.

    `base` is the SHA-256 of the model's files, `examples` of all prompts with what was taken, and of the reasons. Sums
    of floating-point numbers depend on the number of `threads`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    base: str
    prompts: tuple[PromptVersion, ...]
    examples: str
    threads: int
    sampling: Sampling
    shape: Shape
    schedule: Schedule

    @property
    def name(self) -> str:
        """The beginning of the SHA-256 of all this: a run that is begun again by the same plan goes on."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def begin(self, runs: Path) -> Path:
        """The folder of the run, with the plan in it. Raises DataError where the disk refuses."""
        folder = runs / self.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _FILE).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot write {str(folder)!r}: {error.strerror}") from error
        return folder


def fingerprint(examples: Examples, sentences: Sequence[Sentence]) -> str:
    """SHA-256 of every prompt with what was taken and left, of the reasons that are learned from, and of all items."""
    digest = hashlib.sha256()
    for part in PARTS:
        for example in getattr(examples, part):
            said = (part, example.user_id, example.prompt, example.taken, example.sought, example.left)
            digest.update(repr(said).encode("utf-8", "replace"))
    for sentence in sentences:
        digest.update(repr((sentence.user_id, sentence.messages, sentence.rest)).encode("utf-8", "replace"))
    for item in examples.items:
        digest.update(item.model_dump_json().encode())
    return digest.hexdigest()
