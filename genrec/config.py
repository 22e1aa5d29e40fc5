"""Settings of a recommender. The defaults are what `make demo` runs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from genrec.types import Strategy
from retrieval import Policy


class Config(BaseModel):
    """How a recommender works. Immutable: `config.model_copy(update={"candidates": 10})` makes another.

    `model_weight` is the share of the model in the fused score, from 0 (the retriever's order) to 1. None
    takes the weight measured for the model that runs, or 0.5 with a warning where nothing was measured.
    `policy` says what becomes of scores: seen items, diversity, popularity, exploration.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Strategy = "labels"
    candidates: int = Field(default=20, ge=1, le=26)
    history: int = Field(default=10, ge=0)
    model_weight: float | None = Field(default=None, ge=0, le=1)
    explain: bool = True
    policy: Policy = Policy()
    on_failure: Literal["fallback", "raise"] = "fallback"
    deadline_s: float = Field(default=60, gt=0)
    seed: int = 0
