"""What goes in and what comes out of a recommendation. Items, users, events live in `retrieval.types`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.types import ContributionKind

Strategy = Literal["labels", "json"]
"""`labels`: rank by label log-probabilities, then one reason per item. `json`: one answer with both."""

Source = Literal["llm", "retrieval", "popular", "explore"]
"""The stage that put an item where it is."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Frozen):
    """One thing a reason may cite. `ref` finds it again: an event, an attribute, a context or item field."""

    type: ContributionKind
    ref: str
    text: str
    weight: float


class Reason(_Frozen):
    """Why this item: a checked sentence of the model, or a plain one built from the same evidence."""

    text: str
    source: Literal["llm", "template"]


class RankedItem(_Frozen):
    """One item of the answer. `reason` is None where the model ranked nothing or none was asked for."""

    item_id: str
    title: str
    rank: int = Field(ge=1)
    score: float
    score_kind: Literal["fused", "retrieval"]
    source: Source
    reason: Reason | None
    evidence: tuple[Evidence, ...]


class PromptVersion(_Frozen):
    """Which pack made the prompts, and the hash of its templates."""

    name: str
    version: str


class Fallback(_Frozen):
    """The stage that failed, and why. What was meant to be there is not: see each item's `source`."""

    stage: Literal["rank", "explain"]
    cause: str


class Usage(_Frozen):
    """Tokens, summed over the model calls of one recommendation."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class Timings(_Frozen):
    """Milliseconds of each step."""

    retrieve: float = 0
    render: float = 0
    rank: float = 0
    explain: float = 0
    total: float = 0


class TracedCandidate(_Frozen):
    """One candidate as the model saw it, and what each stage thought of it."""

    item_id: str
    label: str
    retrieval_score: float
    model_logprob: float | None = None


class Rejection(_Frozen):
    """A reason that did not pass the check."""

    item_id: str
    text: str
    cause: str


class Trace(_Frozen):
    """How the answer came about. Counts of what was repaired stand beside every quality number."""

    strategy: Strategy
    seed: int
    model_weight: float
    model_calls: int
    candidates: tuple[TracedCandidate, ...]
    invalid_labels: int = 0
    repeated_labels: int = 0
    truncated: bool = False
    rejected_reasons: tuple[Rejection, ...] = ()


class Recommendation(_Frozen):
    """Ranked items with reasons, and everything needed to check where they came from."""

    id: str
    user_id: str
    items: tuple[RankedItem, ...]
    prompt: PromptVersion
    model: str
    fallback: Fallback | None = None
    warnings: tuple[str, ...] = ()
    usage: Usage = Usage()
    timings_ms: Timings = Timings()
    trace: Trace
