"""Questions about single items: why not this one, and why rather this than that. No language model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Literal

from genrec.explain import Cause, by_cause, by_signal, cite
from genrec.prompting import clean
from genrec.scene import Scene, Setup
from genrec.types import Above, Contrast, Difference, Influence, Influences, Parameters, SignalGap, SignalWeight, WhyNot
from genrec.wording import LANGUAGES, wording
from retrieval import Candidate, Context, Query
from retrieval.choice import seen
from retrieval.types import ContributionKind
from retrieval.weights import SIGNALS

_RANKED = 200
"""How far down an item's place is looked for."""
_MOST_CAUSES = 2
_MOST_TRIED = 8
"""Things without which a request is made once more."""
_MOST_GAPS = 3


def why_not(scene: Scene, item_id: str) -> WhyNot:
    """What ranks above an item for this user, and what those items have that it lacks."""
    query, n = _plainly(scene.query), scene.ask.n
    candidate = scene.retriever.score(query, [item_id])[0]
    ranked = scene.retriever.retrieve(query, _RANKED)
    ids = [other.item.item_id for other in ranked]
    excluded = None if item_id in ids else _excluded(scene, query, item_id)
    rank = ids.index(item_id) + 1 if item_id in ids else None
    above = ranked[: n if rank is None else min(n, rank - 1)]
    missing = _gaps(by_signal(candidate), [by_signal(other) for other in above])
    return WhyNot(
        user_id=scene.user.user_id,
        item_id=item_id,
        title=candidate.item.title,
        excluded=excluded,
        rank=rank,
        of=len(ranked),
        score=candidate.score,
        above=tuple(
            Above(item_id=o.item.item_id, title=o.item.title, rank=place, score=o.score)
            for place, o in enumerate(above, start=1)
        ),
        missing=missing,
        text=_say_why_not(scene, candidate, excluded, rank, len(ranked), missing),
    )


def influences(scene: Scene, item_id: str) -> Influences:
    """Everything that an item's score is made of, and where the item would stand without each of the strongest."""
    query = _plainly(scene.query)
    [candidate] = scene.retriever.score(query, [item_id])
    causes = sorted(by_cause(candidate.contributions), key=lambda cause: -abs(cause.value))
    place, of = _place(scene, query, item_id)
    return Influences(
        user_id=scene.user.user_id,
        item_id=item_id,
        title=candidate.item.title,
        score=candidate.score,
        rank=place,
        of=of,
        influences=tuple(
            _influence(scene, query, candidate, cause, tried=number < _MOST_TRIED)
            for number, cause in enumerate(causes)
        ),
    )


def contrast(scene: Scene, a: str, b: str) -> Contrast:
    """What sets two items apart for this user, cause by cause."""
    first, second = scene.retriever.score(scene.query, [a, b])
    causes = [{(cause.kind, cause.ref): cause for cause in by_cause(c.contributions)} for c in (first, second)]
    better = first if first.score >= second.score else second
    differences = [_difference(scene, better, key, *causes) for key in {**causes[0], **causes[1]}]
    differences.sort(key=lambda difference: -abs(difference.a - difference.b))
    return Contrast(
        user_id=scene.user.user_id,
        a=a,
        b=b,
        score_a=first.score,
        score_b=second.score,
        differences=tuple(differences),
        text=_say_contrast(scene, first, second, differences),
    )


def parameters(setup: Setup) -> Parameters:
    """What decides on the order of a list, in every language."""
    weights = setup.retriever.weights.model_dump()
    share, model = setup.model_share, setup.engine.model
    return Parameters(
        pack=setup.pack.name,
        model=model,
        share=share,
        signals=tuple(
            SignalWeight(
                name=name,
                weight=weights[name],
                meaning={language: wording(language).signal(name) for language in LANGUAGES},
            )
            for name in SIGNALS
        ),
        model_share={x: wording(x).model_share(model, share.weight, share.origin) for x in LANGUAGES},
        unprofiled={language: wording(language).unprofiled() for language in LANGUAGES},
    )


def _plainly(query: Query) -> Query:
    """Without what is done to an order afterwards: what is to be tried out, and diversity."""
    return replace(query, policy=query.policy.model_copy(update={"explore": 0, "diversity": 0.0}))


def _influence(scene: Scene, query: Query, candidate: Candidate, cause: Cause, *, tried: bool) -> Influence:
    without = _without(query, cause) if tried else None
    return Influence(
        type=cause.kind,
        ref=cause.ref,
        text=cite(cause, candidate.item, scene.world(scene.history)).evidence.text,
        signal=cause.signal,
        value=cause.value,
        removable=without is not None,
        without=_place(scene, without, candidate.item.item_id)[0] if without else None,
    )


def _without(query: Query, cause: Cause) -> Query | None:
    """The same request without one thing; None where it cannot be made."""
    match cause.kind:
        case "event":
            return replace(query, history=[event for event in query.history if event.ref != cause.ref])
        case "attribute":
            rest = {name: value for name, value in query.user.attributes.items() if name != cause.ref}
            return replace(query, user=query.user.model_copy(update={"attributes": rest}))
        case "context":
            rest = {name: value for name, value in query.context if name != cause.ref}
            return replace(query, context=Context.model_validate(rest))
        case "instruction":
            return replace(query, instruction="")
        case "item":
            return None


def _place(scene: Scene, query: Query, item_id: str) -> tuple[int | None, int]:
    """Where an item stands among those that are ranked, and how many those are."""
    ids = [other.item.item_id for other in scene.retriever.retrieve(query, _RANKED)]
    return ids.index(item_id) + 1 if item_id in ids else None, len(ids)


def _excluded(scene: Scene, query: Query, item_id: str) -> Literal["seen", "filter"] | None:
    if scene.retriever.allowed(query)[scene.retriever.knowledge.catalogue.row(item_id)]:
        return None
    met = seen(query.history, query.policy.repeat_after_days, query.now)
    return "seen" if item_id in met else "filter"


def _gaps(mine: Mapping[str, float], above: Sequence[Mapping[str, float]]) -> tuple[SignalGap, ...]:
    signals = sorted({signal for parts in above for signal in parts})
    gaps = [
        SignalGap(signal=s, item=mine.get(s, 0.0), above=mean(parts.get(s, 0.0) for parts in above)) for s in signals
    ]
    behind = [gap for gap in gaps if gap.above > gap.item]
    return tuple(sorted(behind, key=lambda gap: gap.item - gap.above))


def _say_why_not(
    scene: Scene, candidate: Candidate, excluded: str | None, rank: int | None, of: int, missing: Sequence[SignalGap]
) -> str:
    words, title = scene.words, clean(candidate.item.title, 120)
    if excluded:
        return words.not_shown(title, excluded)
    if rank is not None and rank <= scene.ask.n:
        return words.shown(title, rank)
    return words.behind(title, rank, of, [words.signal(gap.signal) for gap in missing[:_MOST_GAPS]])


def _difference(
    scene: Scene,
    better: Candidate,
    key: tuple[ContributionKind, str],
    first: Mapping[tuple[ContributionKind, str], Cause],
    second: Mapping[tuple[ContributionKind, str], Cause],
) -> Difference:
    cause = first.get(key) or second[key]
    text = cite(cause, better.item, scene.world(scene.history)).evidence.text
    values = [side[key].value if key in side else 0.0 for side in (first, second)]
    return Difference(type=cause.kind, ref=cause.ref, text=text, a=values[0], b=values[1])


def _say_contrast(scene: Scene, first: Candidate, second: Candidate, differences: Sequence[Difference]) -> str:
    titles = [clean(candidate.item.title, 120) for candidate in (first, second)]
    ahead = 1.0 if first.score >= second.score else -1.0
    better, other = titles if ahead > 0 else titles[::-1]
    because = [] if first.score == second.score else [d.text for d in differences if ahead * (d.a - d.b) > 0]
    return scene.words.contrast(better, other, list(dict.fromkeys(because))[:_MOST_CAUSES])
