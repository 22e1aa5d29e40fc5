"""Two other ways to ask for an order, to see whether they earn a place in genrec: item by item and pair by pair."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from genrec.engine import Engine
from genrec.engine.base import Messages
from retrieval import Candidate

_SYSTEM = "You know the items below and the person who is looking for one. Answer with one letter and nothing else."
_DISTANCES = (1, 2)
"""Each candidate meets the next ones in a ring: with two distances, four others."""


async def item_by_item(engine: Engine, person: str, candidates: Sequence[Candidate]) -> dict[str, float]:
    """log p(yes) - log p(no) to whether the person would like one item: pointwise relevance generation.

    Liang et al., Holistic Evaluation of Language Models, 2022.
    """

    async def one(candidate: Candidate) -> float:
        question = f"Item: {_line(candidate)}\n\nWould they like it? A yes, B no."
        found = await engine.score_labels(_messages(person, question), ["A", "B"])
        return found.logprobs["A"] - found.logprobs["B"]

    scores = await asyncio.gather(*map(one, candidates))
    return {candidate.item.item_id: score for candidate, score in zip(candidates, scores, strict=True)}


async def pair_by_pair(engine: Engine, person: str, candidates: Sequence[Candidate]) -> dict[str, float]:
    """Points from comparisons with four others, each asked in both orders; a tie where these disagree.

    Pairwise ranking prompting (Qin et al., NAACL Findings 2024), a ring of opponents instead of all.
    """
    points: defaultdict[str, float] = defaultdict(float)

    async def meet(first: Candidate, second: Candidate) -> None:
        both = await asyncio.gather(_prefers(first, second), _prefers(second, first))
        won = (both[0] + (1 - both[1])) / 2
        points[first.item.item_id] += won
        points[second.item.item_id] += 1 - won

    async def _prefers(a: Candidate, b: Candidate) -> float:
        question = f"A. {_line(a)}\nB. {_line(b)}\n\nWhich would they like more?"
        found = await engine.score_labels(_messages(person, question), ["A", "B"])
        return float(found.logprobs["A"] > found.logprobs["B"])

    count = len(candidates)
    await asyncio.gather(
        *(meet(candidates[p], candidates[(p + distance) % count]) for distance in _DISTANCES for p in range(count))
    )
    # Few meetings make many ties: the retriever must not break them, so the candidates' drawn order does.
    return {c.item.item_id: points[c.item.item_id] - place * 1e-6 for place, c in enumerate(candidates)}


def _messages(person: str, question: str) -> Messages:
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": f"{person}\n\n{question}"}]


def _line(candidate: Candidate) -> str:
    item = candidate.item
    return f"{item.title}; {', '.join(item.categories)}" if item.categories else item.title
