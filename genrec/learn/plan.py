"""Everything that decides what comes out of a training run, written down before it begins."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from genrec.errors import DataError
from genrec.learn.examples import PARTS, Examples, Sampling
from genrec.learn.shape import Shape
from genrec.types import PromptVersion

_FILE = "plan.json"


class Schedule(BaseModel):
    """How long and how fast is trained. `batch`: examples a step. `side_by_side`: of them at once, as memory allows.

    Every `look` steps validation is looked at; when its loss has not fallen for `patience` looks, training ends.
    The rate rises over the first `warm_up` steps and falls as a cosine.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=4, ge=1)
    batch: int = Field(default=16, ge=1)
    side_by_side: int = Field(default=4, ge=1)
    rate: float = Field(default=5e-4, gt=0)
    warm_up: int = Field(default=5, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    look: int = Field(default=20, ge=1)
    patience: int = Field(default=3, ge=1)
    seed: int = 0


class Plan(BaseModel):
    """Two runs with equal plans give equal adapters.

    `base` is the SHA-256 of the model's files, `examples` of all prompts with what was taken. Sums of floating-point
    numbers depend on the number of `threads`.
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


def fingerprint(examples: Examples) -> str:
    """SHA-256 of every prompt and of what was taken."""
    digest = hashlib.sha256()
    for part in PARTS:
        for example in getattr(examples, part):
            digest.update(repr((part, example.user_id, example.prompt, example.taken)).encode("utf-8", "replace"))
    return digest.hexdigest()
