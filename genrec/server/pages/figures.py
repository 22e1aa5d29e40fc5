"""What the latest lists add up to: rates beside the counts that they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from genrec.store.database import Given, Recent
from genrec.types import Recommendation
from retrieval.cues import strength

STEPS = ("retrieve", "render", "rank", "explain", "total")
_KINDS = {
    "the number": "number",
    "the name": "name",
    "the word": "word",
    "the character": "word",
    "'": "person",
    "it cites": "citation",
}
"""By how the check begins to say what is wrong; all else is its form."""
_BARS = 24
"""Parts of a line in time."""


@dataclass(frozen=True)
class Rate:
    """A count of a number of cases, with the Wilson interval that holds the true rate in 95 of 100 cases."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 of no cases."""
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """From 0 to 1 for no cases, of which nothing is known."""
        if not self.of:
            return 0.0, 1.0
        from scipy.stats import binomtest  # it takes long to load, and a service starts without

        found = binomtest(self.count, self.of).proportion_ci(method="wilson")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Step:
    """Milliseconds of a step: half of the lists took no longer than `p50`, 95 of 100 no longer than `p95`."""

    name: str
    p50: float
    p95: float
    line: str


@dataclass(frozen=True)
class Variant:
    """What became of the lists of one version of prompts.

    `liked` and `disliked` count shown items on which at least one event that names the list speaks for or against them;
    `unhelpful` counts verdicts on reasons that are not `helpful`.
    """

    name: str
    version: str
    lists: int
    liked: Rate
    disliked: Rate
    unhelpful: Rate


@dataclass(frozen=True)
class Quality:
    """Figures of the latest lists; `unfinished` ones, whose readers left or whose service stopped, are in no rate."""

    lists: int
    unfinished: int
    since: datetime | None
    fallbacks: Rate
    causes: Sequence[tuple[str, Rate]]
    rejected: Rate
    rejections: Sequence[tuple[str, Rate]]
    own: Rate
    coverage: Rate
    steps: Sequence[Step]
    variants: Sequence[Variant]


def figures(recent: Recent) -> Quality:
    """Everything that is counted on the page."""
    done = [given for given in recent.lists if not _unfinished(given.recommendation)]
    answers = [given.recommendation for given in done]
    causes = Counter(_cause(answer) for answer in answers if answer.fallback)
    rejections = Counter(kind_of(rejection.cause) for answer in answers for rejection in answer.trace.rejected_reasons)
    reasons = [item.reason for answer in answers for item in answer.items if item.reason]
    own = sum(reason.source == "llm" for reason in reasons)
    rejected = rejections.total()
    shown = {item.item_id for answer in answers for item in answer.items}
    return Quality(
        len(done),
        len(recent.lists) - len(done),
        done[0].created_at if done else None,
        Rate(causes.total(), len(answers)),
        [(cause, Rate(count, len(answers))) for cause, count in causes.most_common()],
        Rate(rejected, rejected + own),
        [(cause, Rate(count, rejected)) for cause, count in rejections.most_common()],
        Rate(own, len(reasons)),
        Rate(len(shown), max(recent.items, len(shown))),
        [_step(name, answers) for name in STEPS] if answers else [],
        _variants(done),
    )


def _unfinished(answer: Recommendation) -> bool:
    """As a stream began: the model was not heard."""
    return answer.provisional or (bool(answer.items) and answer.fallback is None and not answer.timings_ms.explain)


def _cause(answer: Recommendation) -> str:
    """The stage and the class of an error, without its message, which may hold anything."""
    return f"{answer.fallback.stage}: {answer.fallback.cause.partition(':')[0]}" if answer.fallback else ""


def kind_of(cause: str) -> str:
    """What was wrong with a sentence, without what stood in it."""
    return next((kind for beginning, kind in _KINDS.items() if cause.startswith(beginning)), "form")


def _step(name: str, answers: Sequence[Recommendation]) -> Step:
    took = np.array([getattr(answer.timings_ms, name) for answer in answers])
    p50, p95 = np.percentile(took, [50, 95])
    parts = [float(np.median(part)) for part in np.array_split(took, min(_BARS, len(took)))]
    return Step(name, float(p50), float(p95), _line(parts))


def _line(values: Sequence[float]) -> str:
    """The points of a line in a box 100 wide and 20 high, from 0 at the bottom to the highest value."""
    top, last = max(values) or 1.0, max(len(values) - 1, 1)
    return " ".join(f"{100 * place / last:.1f},{19 - 18 * value / top:.1f}" for place, value in enumerate(values))


def _variants(done: Sequence[Given]) -> list[Variant]:
    """By version, the one that made most lists first."""
    by_version: dict[tuple[str, str], list[Given]] = {}
    for given in done:
        by_version.setdefault((given.recommendation.prompt.name, given.recommendation.prompt.version), []).append(given)
    return sorted((_variant(*version, lists) for version, lists in by_version.items()), key=lambda one: -one.lists)


def _variant(name: str, version: str, lists: Sequence[Given]) -> Variant:
    shown = sum(len(given.recommendation.items) for given in lists)
    verdicts = [verdict for given in lists for verdict in given.verdicts]
    return Variant(
        name,
        version,
        len(lists),
        Rate(sum(len(_met(given, 1)) for given in lists), shown),
        Rate(sum(len(_met(given, -1)) for given in lists), shown),
        Rate(sum(verdict != "helpful" for verdict in verdicts), len(verdicts)),
    )


def _met(given: Given, sign: int) -> set[str]:
    """The shown items that events speak for (1) or against (-1)."""
    shown = {item.item_id for item in given.recommendation.items}
    return {event.item_id for event in given.events if sign * strength(event) > 0} & shown
