"""Do reasons hold up? Citations, necessity of what they cite, reasons on the wrong item, and how they read.

- *Citation validity*: each piece of evidence resolves to something that the request held, and each sentence cites one.
- *Necessity*: without the event that a reason cites first, how much does the item's retrieval score fall, and how
  many places among the candidates; against removing an event that the reason does not cite, drawn with a seed
  (comprehensiveness: DeYoung et al., ERASER, ACL 2020). The interval is a bootstrap over users.
- *Swap*: the reason of one item put on another of the same list must be refused by the check.
- *Readability*: length, and how much the reasons of one list repeat each other (Jaccard of their words).
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from statistics import mean
from typing import Any

import numpy as np

from eval.audit import problems
from genrec import Context, Recommender, runner
from genrec.explain import Cited, facts_of, pick_evidence
from genrec.grounding import check
from genrec.scene import Ask, Scene
from genrec.types import Recommendation
from retrieval import Candidate, Query
from retrieval.cues import strength

_SHOWN = 5
_SIDE_BY_SIDE = 8
_SEED = 20261124
_RESAMPLES = 2000


@dataclass
class _Drops:
    """What removing one event does to an item, by user: cited minus uncited, in scores and in places."""

    score_cited: list[float] = field(default_factory=list)
    score_uncited: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)
    users: list[str] = field(default_factory=list)


def measure(recommender: Recommender, users: int, context: Context, status: Callable[[str], None]) -> dict[str, Any]:
    """Recommend to the first users who have at least three events, and look at every reason."""
    store = recommender.store
    ids = [user_id for user_id in store.user_ids if len(store.history(user_id)) > 2][:users]
    answers: list[Recommendation] = []
    for start in range(0, len(ids), _SIDE_BY_SIDE):
        status(f"asking for user {start} of {len(ids)}")
        answers += runner.run(_ask(recommender, ids[start : start + _SIDE_BY_SIDE], context))
    status("taking evidence away")
    looks = [_Look(recommender, answer, context) for answer in answers]
    return {
        "model": recommender.engine.model,
        "users": len(answers),
        "citations": _citations(answers, looks, recommender, context),
        "necessity": _necessity(looks),
        "swap": _swap(looks),
        "readability": [_readability(answers, source) for source in ("llm", "template")],
        "refusals": _refusals(answers),
    }


async def _ask(recommender: Recommender, ids: Sequence[str], context: Context) -> list[Recommendation]:
    return list(await asyncio.gather(*(recommender.arecommend(i, _SHOWN, context=context) for i in ids)))


class _Look:
    """One answer with the candidates and the evidence that it was made from, found again."""

    def __init__(self, recommender: Recommender, answer: Recommendation, context: Context) -> None:
        setup = recommender.setup
        self.answer = answer
        self.scene: Scene = setup.scene(Ask(answer.user_id, _SHOWN, context))
        self._recommender = recommender
        ids = [candidate.item_id for candidate in answer.trace.candidates]
        self.candidates: dict[str, Candidate] = {
            candidate.item.item_id: candidate for candidate in setup.retriever.score(self.scene.query, ids)
        }
        world = self.scene.world(self.scene.latest(setup.config.history))
        self.cited: dict[str, tuple[Cited, ...]] = {
            item.item_id: pick_evidence(self.candidates[item.item_id], world) for item in answer.items
        }
        self.shown_events = world.events
        self.names = self.scene.names(candidate.item for candidate in self.candidates.values())
        self.instructions = _instructions(recommender)

    def verdict(self, text: str, item_id: str) -> str | None:
        """What the check says of a sentence as a reason for an item of this list."""
        item = self.candidates[item_id].item
        return check(text, facts_of(item, self.cited[item_id], self.names, self.instructions, self.scene.language))

    def without(self, event_ref: str, item_id: str) -> tuple[float, int]:
        """Score of an item and its place among the candidates, if one event had not happened."""
        history = tuple(event for event in self.scene.history if event.ref != event_ref)
        return self._standing(replace(self.scene.query, history=history), item_id)

    def standing(self, item_id: str) -> tuple[float, int]:
        """Score and place as they are."""
        return self._standing(self.scene.query, item_id)

    def _standing(self, query: Query, item_id: str) -> tuple[float, int]:
        scored = self._recommender.retriever.score(query, list(self.candidates))
        scores = {candidate.item.item_id: candidate.score for candidate in scored}
        return scores[item_id], sum(score > scores[item_id] for score in scores.values()) + 1


def _instructions(recommender: Recommender) -> str:
    return recommender.pack.system("explain", {"language": "English"})


def _citations(
    answers: Sequence[Recommendation], looks: Sequence[_Look], recommender: Recommender, context: Context
) -> dict[str, Any]:
    reasons = [(look, item) for look in looks for item in look.answer.items if item.reason]
    found = [problem for answer in answers for problem in problems(answer, recommender.store, _SHOWN, context.fields())]
    uncited = [
        item.item_id
        for look, item in reasons
        if item.reason and look.verdict(item.reason.text, item.item_id) == "it cites none of the evidence"
    ]
    refused = [item.item_id for look, item in reasons if item.reason and look.verdict(item.reason.text, item.item_id)]
    by_model = sum(item.reason is not None and item.reason.source == "llm" for _, item in reasons)
    refusals = sum(len(answer.trace.rejected_reasons) for answer in answers)
    return {
        "reasons": len(reasons),
        "by the model": by_model,
        "refused sentences": refusals,
        "sentences that the model only ended": len(reasons) - by_model - refusals,
        "evidence that does not resolve": len(found),
        "reasons that cite nothing": len(uncited),
        "shown reasons that the check refuses": len(refused),
    }


def _necessity(looks: Sequence[_Look]) -> dict[str, Any]:
    draw = random.Random(_SEED)
    drops = _Drops()
    for look in looks:
        shown = [event.ref for event in look.shown_events if strength(event) > 0]
        for item in look.answer.items:
            cited = [part.ref for part in item.evidence if part.type == "event"]
            others = [ref for ref in shown if ref not in cited]
            if not cited or not others:
                continue
            before = look.standing(item.item_id)
            with_cited, with_other = (look.without(ref, item.item_id) for ref in (cited[0], draw.choice(others)))
            drops.score_cited.append((before[0] - with_cited[0]) / before[0])
            drops.score_uncited.append((before[0] - with_other[0]) / before[0])
            drops.places.append(float(with_cited[1] - with_other[1]))
            drops.users.append(look.answer.user_id)
    differences = [cited - other for cited, other in zip(drops.score_cited, drops.score_uncited, strict=True)]
    return {
        "items": len(differences),
        "score lost without the cited event": f"{mean(drops.score_cited):.1%}",
        "score lost without another event": f"{mean(drops.score_uncited):.1%}",
        "difference": f"{mean(differences):.1%} (95%: {_interval(differences, drops.users, 100):s}%)",
        "places lost, difference": f"{mean(drops.places):.2f} (95%: {_interval(drops.places, drops.users, 1):s})",
    }


def _interval(values: Sequence[float], users: Sequence[str], scale: float) -> str:
    """Between the 2.5th and the 97.5th percentile of the mean over users drawn with replacement."""
    names = sorted(set(users))
    sums = np.array([sum(v for v, user in zip(values, users, strict=True) if user == name) for name in names])
    counts = np.array([users.count(name) for name in names])
    drawn = np.random.default_rng(_SEED).integers(len(names), size=(_RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1) * scale
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{low:.2f} to {high:.2f}"


def _swap(looks: Sequence[_Look]) -> list[dict[str, str]]:
    tried: dict[str, list[bool]] = {"all": [], "cites what the other item does not": [], "by the model": []}
    for look in looks:
        for one, other in permutations([item for item in look.answer.items if item.reason], 2):
            if one.reason is None:
                continue
            refused = look.verdict(one.reason.text, other.item_id) is not None
            abouts = {part.about for part in look.cited[other.item_id]}
            tried["all"].append(refused)
            if not {part.about for part in look.cited[one.item_id]} <= abouts:
                tried["cites what the other item does not"].append(refused)
            if one.reason.source == "llm":
                tried["by the model"].append(refused)
    return [
        {"swapped reasons": name, "tried": str(len(refused)), "refused": f"{mean(refused):.1%}" if refused else "-"}
        for name, refused in tried.items()
    ]


def _refusals(answers: Sequence[Recommendation]) -> list[dict[str, str]]:
    """Why sentences were refused, the most frequent causes first; what is quoted in a cause is left out."""
    causes = Counter(
        re.sub(r"'[^']*'|\"[^\"]*\"|\d[\d.,]*", "…", rejection.cause)
        for answer in answers
        for rejection in answer.trace.rejected_reasons
    )
    return [{"refused because": cause, "sentences": str(count)} for cause, count in causes.most_common()]


def _readability(answers: Sequence[Recommendation], source: str) -> dict[str, str]:
    lists = [
        [item.reason.text for item in answer.items if item.reason and item.reason.source == source]
        for answer in answers
    ]
    texts = [text for some in lists for text in some]
    pairs = [(set(a.split()), set(b.split())) for some in lists for a, b in combinations(some, 2)]
    return {
        "reasons by": source,
        "count": str(len(texts)),
        "words": f"{mean(len(text.split()) for text in texts):.1f}" if texts else "-",
        "longest": str(max((len(text.split()) for text in texts), default=0)),
        "words shared in a list": f"{mean(len(a & b) / len(a | b) for a, b in pairs):.0%}" if pairs else "-",
        "same sentence twice in a list": f"{mean(a == b for a, b in pairs):.0%}" if pairs else "-",
    }
