"""Settings of a recommender. The defaults are what `make demo` runs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.types import Strategy
from genrec.wording import Language
from retrieval import Policy

ONE_WINDOW = 26
"""A prompt shows one candidate for each letter."""
MOST_CANDIDATES = 200


class Config(BaseModel):
    """How a recommender works. Immutable: `config.model_copy(update={"candidates": 10})` makes another.

    `candidates` beyond 26 are ranked in windows, whose best meet in a last one; the strategy `json` takes 26.
    `permutations` is how many orders of the candidates the model sees: its scores are averaged over them.
    `calibrate` takes off what the model says about letters where the prompt says nothing about items.
    `model_weight` is the share of the model in the fused score, from 0 (the retriever's order) to 1. None
    takes the weight that `genrec fit --ranking` found or that was measured for the model that runs, or 0.5 with
    a warning where there is none.
    `policy` says what becomes of scores: seen items, diversity, popularity, exploration.
    `language` is the one of evidence and reasons. Recommenders with different `cache_salt` share nothing in the
    engine's prefix cache: give each tenant one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Strategy = "labels"
    candidates: int = Field(default=20, ge=1, le=MOST_CANDIDATES)
    history: int = Field(default=10, ge=0)
    permutations: int = Field(default=1, ge=1, le=26)
    calibrate: bool = False
    model_weight: float | None = Field(default=None, ge=0, le=1)
    explain: bool = True
    language: Language = "en"
    policy: Policy = Policy()
    on_failure: Literal["fallback", "raise"] = "fallback"
    deadline_s: float = Field(default=60, gt=0)
    cache_salt: str | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.strategy == "json" and self.candidates > ONE_WINDOW:
            raise ValueError(f"candidates is {self.candidates}: the strategy json takes at most {ONE_WINDOW}")
        return self
