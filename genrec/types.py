"""What goes in and what comes out of a recommendation. Items, users, events live in `retrieval.types`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from genrec.wording import Language
from retrieval.types import ContributionKind

Strategy = Literal["labels", "json"]
"""`labels`: rank by label log-probabilities, then one reason per item. `json`: one answer with both."""

Source = Literal["llm", "retrieval", "popular", "explore"]
"""The stage that put an item where it is."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Frozen):
    """One thing a reason may cite. `ref` finds it again: an event, an attribute, a context or item field.

    `weight` is what it adds to the retrieval score, and `signal` the signal that adds most of that.
    """

    type: ContributionKind
    ref: str
    text: str
    weight: float
    signal: str


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
    """One candidate as the model saw it, and what each stage thought of it.

    `label` is None where no prompt was made; with more than 26 candidates it is the one of the first window, and
    two windows use the same letters.
    """

    item_id: str
    label: str | None
    retrieval_score: float
    model_logprob: float | None = None


class Rejection(_Frozen):
    """A reason that did not pass the check."""

    item_id: str
    text: str
    cause: str


Arm = Literal["production", "candidate"]
"""The labels of versions of prompts, which may compete."""


class ArmCount(_Frozen):
    """Lists that a version of prompts made, and those of which something was taken."""

    lists: int = Field(ge=0)
    taken: int = Field(ge=0)


class Variant(_Frozen):
    """Where two versions of prompts compete: which made the list, and the probability with which it was chosen.

    `holdout`: this user always gets production. `counts` by label and the seed of the trace give the same choice again.
    """

    label: Arm
    probability: float = Field(gt=0, le=1)
    holdout: bool
    counts: dict[Arm, ArmCount]


class Trace(_Frozen):
    """How the answer came about. Counts of what was repaired stand beside every quality number.

    `candidates` are in the retriever's order. `model_calls` are those that this request made; reasons from the
    cache make none. `retried`: the model's first list could not be used at all, so it was asked once more.
    """

    strategy: Strategy
    seed: int
    model_weight: float
    model_calls: int
    candidates: tuple[TracedCandidate, ...]
    invalid_labels: int = 0
    repeated_labels: int = 0
    truncated: bool = False
    retried: bool = False
    rejected_reasons: tuple[Rejection, ...] = ()
    variant: Variant | None = None


class Recommendation(_Frozen):
    """Ranked items with reasons, and everything needed to check where they came from.

    `provisional`: a stream's first state, in the retriever's order, which the model may still change.
    """

    id: str
    user_id: str
    items: tuple[RankedItem, ...]
    provisional: bool = False
    prompt: PromptVersion
    model: str
    fallback: Fallback | None = None
    warnings: tuple[str, ...] = ()
    usage: Usage = Usage()
    timings_ms: Timings = Timings()
    trace: Trace


class ShownReason(_Frozen):
    """A model's reason that passed the check, was shown, and that nobody found unhelpful or wrong.

    `language` is the one that was asked for; None is the service's.
    """

    user_id: str
    item_id: str
    evidence: tuple[Evidence, ...]
    text: str
    time: datetime
    prompt: PromptVersion
    language: Language | None


class Explanation(_Frozen):
    """Why one item suits one user, whether it is recommended or not.

    `score` is the retriever's, and the sum of `signals`.
    """

    user_id: str
    item_id: str
    title: str
    score: float
    signals: dict[str, float]
    evidence: tuple[Evidence, ...]
    reason: Reason
    rejected: Rejection | None
    prompt: PromptVersion
    model: str
    fallback: Fallback | None
    usage: Usage


class SignalGap(_Frozen):
    """What a signal adds to an item's score, and on average to the scores of the items above it."""

    signal: str
    item: float
    above: float


class Above(_Frozen):
    """An item that ranks above the one that was asked about."""

    item_id: str
    title: str
    rank: int
    score: float


class WhyNot(_Frozen):
    """Why an item is not recommended, by retrieval: what ranks above it, and the signals that it lacks.

    `excluded` says that it may not be shown at all: `seen`, or left out by the `filter`. `rank` is None where
    it is excluded, or behind all of the `of` items that were ranked. `missing` has the widest gap first.
    A model with weight may still reorder the items that retrieval puts first.
    """

    user_id: str
    item_id: str
    title: str
    excluded: Literal["seen", "filter"] | None
    rank: int | None
    of: int
    score: float
    above: tuple[Above, ...]
    missing: tuple[SignalGap, ...]
    text: str


class Influence(_Frozen):
    """What one thing (an event, an attribute, ...) adds to an item's score, and `signal`, which adds most of that.

    `removable`: a request can be made without it, and would put the item in place `without`; None is out of the list
    that was ranked. What others did stays, whatever is asked.
    """

    type: ContributionKind
    ref: str
    text: str
    signal: str
    value: float
    removable: bool
    without: int | None


class Influences(_Frozen):
    """All that speaks for an item and against it, by retrieval, the strongest first; the values sum to the score.

    `rank` is its place among the `of` items that were ranked; None where it is behind them, or may not be shown.
    """

    user_id: str
    item_id: str
    title: str
    score: float
    rank: int | None
    of: int
    influences: tuple[Influence, ...]


class Difference(_Frozen):
    """What one thing (an event, an attribute, ...) adds to the scores of two items."""

    type: ContributionKind
    ref: str
    text: str
    a: float
    b: float


class Contrast(_Frozen):
    """Two items for one user, by retrieval: `differences` sum to the scores, the widest first."""

    user_id: str
    a: str
    b: str
    score_a: float
    score_b: float
    differences: tuple[Difference, ...]
    text: str


class ModelShare(_Frozen):
    """The language model's share in the fused score, from 0 to 1, and where it comes from.

    `configured`: somebody set it. `fitted`: by `genrec fit --ranking` to this data. `measured`: by genrec for this
    model. `assumed`: nobody measured it.
    """

    weight: float
    origin: Literal["configured", "fitted", "measured", "assumed"]


class SignalWeight(_Frozen):
    """A signal, how much it counts, and what it sees in an item, by language."""

    name: str
    weight: float
    meaning: dict[Language, str]


class Parameters(_Frozen):
    """What decides on the order of a list: for people who want to know, and for those who must be told.

    `model_share` and `unprofiled` say by language where the model's share comes from, and how to get a list that uses
    nothing of a user's history and attributes.
    """

    pack: str
    model: str
    share: ModelShare
    signals: tuple[SignalWeight, ...]
    model_share: dict[Language, str]
    unprofiled: dict[Language, str]
