"""One request on its way through the five steps: within its deadline, and when the model fails."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Literal

from genrec import prompting, tournament, tracing
from genrec._explainer import Explained, Explainer
from genrec.budget import Cut, cuts, largest_that_fits
from genrec.errors import AnswerError, EngineError, PromptError
from genrec.explain import Cited, pick_evidence, plain_reason
from genrec.prompting import DESCRIPTION, Messages
from genrec.ranking import LABELS, Ranking, Scored, Window, assign_labels, average, fuse, rank_by_labels, rank_by_list
from genrec.scene import Ask, Setup
from genrec.threads import beside
from genrec.types import (
    Fallback,
    PromptVersion,
    RankedItem,
    Reason,
    Recommendation,
    Rejection,
    Source,
    Timings,
    Trace,
    TracedCandidate,
    Usage,
)
from retrieval import Candidate, Item

_CHAT_TEMPLATE_TOKENS = 200
"""More than any chat template adds around two messages."""


class Request:
    """Each step adds what the next one needs; `answer` says what is known by now."""

    def __init__(self, setup: Setup, ask: Ask) -> None:
        self._deadline = setup.deadline(ask)
        self._id = uuid.uuid4().hex
        self._setup, self._ask, self._config = setup, ask, setup.config
        self._scene = setup.scene(ask)
        self._cut: Cut | None = Cut(len(self._scene.latest(setup.config.history)))
        self._warnings: list[str] = []
        self._weight = self._model_weight()
        self._found: Sequence[Candidate] = ()
        self._provisional = False
        self._labels: dict[str, str] = {}
        self._rendered: dict[tuple[str, ...], Messages] = {}
        self._ranking: Ranking | None = None
        self._shown: Sequence[Scored] = ()
        self._cited: dict[str, tuple[Cited, ...]] = {}
        self._reasons: dict[str, Reason] = {}
        self._rejections: list[Rejection] = []
        self._fallback: Fallback | None = None
        self._usage = Usage()
        self._calls = 0
        self._timings: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step took, in milliseconds, also for those who collect traces."""
        start = perf_counter()
        with tracing.span(step) as span:
            try:
                yield
                self._timings[step] = round((perf_counter() - start) * 1000, 1)
            finally:
                span.set_attributes(self._facts())

    async def retrieve(self) -> None:
        """Candidates, and the best of them in the retriever's order."""
        config, n = self._config, self._ask.n
        # A list that cannot change the order is asked only about what will be shown.
        fixed = self._weight == 0 and config.strategy == "json"
        wanted = n if fixed else max(config.candidates, n)
        self._found = await beside(self._setup.retriever.retrieve, self._scene.query, wanted)
        if len(self._found) < n:
            self._warnings.append(f"{len(self._found)} items are left for this user, fewer than {n}")
        self._provisional = bool(self._found) and self._weight > 0
        self._show({}, 0.0)

    async def render(self) -> None:
        """How much of events and descriptions fits into the longest prompt that the candidates can make."""
        if not self._found:
            return
        window = self._longest_window()
        ladder = cuts(len(self._scene.latest(self._config.history)), self._front.budget.drop)
        try:
            self._cut = await largest_that_fits(ladder, lambda cut: self._fits(self._messages(window, cut)))
        except EngineError as error:
            self._fall_back("rank", error)
            return
        if self._cut is None:
            raise PromptError(
                f"the {self._task} prompt of pack {self._setup.pack.name!r} is longer than the {self._room} tokens "
                f"that its budget and model {self._setup.engine.model} allow: ask for fewer candidates or shorten "
                f"the template"
            )
        if self._cut != ladder[0]:
            self._warnings.append(
                f"the prompt was too long: it shows the last {self._cut.events} of {ladder[0].events} events, and "
                f"{self._cut.description} of {DESCRIPTION} characters of a description"
            )

    async def rank(self) -> None:
        """The model's order fused with the retriever's, or the latter alone when the model fails."""
        if self._found and not self._fallback:
            try:
                self._ranking = await self._deadline.hold(self._ask_for_ranking())
                self._usage += self._ranking.usage
                self._calls += self._ranking.calls
                self._warnings += self._ranking.warnings
            except (EngineError, AnswerError) as error:
                self._fall_back("rank", error)
        self._provisional = False
        self._show(self._ranking.scores if self._ranking else {}, self._weight if self._ranking else 0.0)

    def _show(self, scores: Mapping[str, float], weight: float) -> None:
        """The items by the fused score, with the evidence that a reason may cite."""
        self._shown = self._keep_places(fuse(self._found, scores, weight))
        latest = self._scene.latest(self._cut.events if self._cut else 0)
        world = self._scene.world(latest, self._front.user_fields)
        self._cited = {s.candidate.item.item_id: pick_evidence(s.candidate, world) for s in self._shown}

    async def explain(self) -> AsyncIterator[None]:
        """One reason for each item that the model ranked, side by side; yields whenever one is ready."""
        if not self._ranking or not self._config.explain:
            return
        names = self._scene.names(candidate.item for candidate in self._found)
        explainer = Explainer(self._setup, self._scene, self._deadline, names)
        jobs = [asyncio.create_task(self._give_reason(explainer, scored.candidate.item)) for scored in self._shown]
        try:
            for job in asyncio.as_completed(jobs):
                await job
                yield
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    def answer(self) -> Recommendation:
        """What is known by now."""
        pack = self._setup.pack
        return Recommendation(
            id=self._id,
            user_id=self._ask.user_id,
            items=tuple(self._item(place, scored) for place, scored in enumerate(self._shown, start=1)),
            provisional=self._provisional,
            prompt=PromptVersion(name=pack.name, version=pack.version),
            model=self._setup.engine.model,
            fallback=self._fallback,
            warnings=tuple(self._warnings),
            usage=self._usage,
            timings_ms=Timings(**self._timings, total=self._deadline.elapsed_ms()),
            trace=self._trace(),
        )

    def _facts(self) -> dict[str, str | int]:
        """What is known by now, in versions and numbers: nothing of the user, the items or what was written."""
        pack = self._setup.pack
        facts: dict[str, str | int] = {
            "genrec.prompt": f"{pack.name}@{pack.version}",
            "genrec.model": self._setup.engine.model,
            "genrec.candidates": len(self._found),
            "genrec.items": len(self._shown),
            "genrec.reasons": len(self._reasons),
            "genrec.rejected_reasons": len(self._rejections),
            "genrec.model_calls": self._calls,
        }
        facts |= {f"genrec.{kind}": count for kind, count in self._usage.model_dump().items()}
        if self._fallback:
            facts["genrec.fallback"] = self._fallback.stage
        return facts

    @property
    def _task(self) -> prompting.Task:
        return "list" if self._config.strategy == "json" else "rank"

    @property
    def _front(self) -> prompting.FrontMatter:
        return self._setup.pack.front(self._task, self._scene.language)

    def _model_weight(self) -> float:
        share = self._setup.model_share
        if share.origin == "assumed":
            model = self._setup.engine.model
            self._warnings.append(f"model weight {share.weight} was not fitted to {model}: run genrec fit --ranking")
        return share.weight

    @property
    def _room(self) -> int:
        """Tokens for the prompt; `max_tokens` of the list template is for each item."""
        answer = self._front.sampling.max_tokens * (self._wanted if self._task == "list" else 1)
        left = self._setup.engine.max_tokens - answer
        return min(left, self._front.budget.tokens or left)

    async def _fits(self, messages: Messages) -> bool:
        # A token is at least a byte, so a short prompt needs no counting.
        if sum(len(message["content"].encode()) for message in messages) + _CHAT_TEMPLATE_TOKENS <= self._room:
            return True
        return await self._deadline.hold(self._setup.engine.count_tokens(messages)) <= self._room

    def _longest_window(self) -> Window:
        """The one that makes the longest prompt; where there is only one, that one."""
        if len(self._found) <= len(LABELS):
            return self._label(self._found)
        longest = sorted(self._found, key=lambda candidate: -len(candidate.item.text()))[: len(LABELS)]
        return dict(zip(LABELS, longest, strict=False))

    def _messages(self, window: Window, cut: Cut) -> Messages:
        """The ranking prompt for some candidates: the one that was measured is the one that is sent."""
        key = (*(candidate.item.item_id for candidate in window.values()), repr(cut))
        if key not in self._rendered:
            self._rendered[key] = self._render(window, cut)
        return self._rendered[key]

    def _render(self, window: Window, cut: Cut) -> Messages:
        scene, ask = self._scene, self._ask
        words, find = scene.words.name, self._setup.store.item
        about = prompting.Subject(
            scene.user, scene.history, ask.context, ask.instruction, self._wanted, words, find, scene.now
        )
        items = {label: candidate.item for label, candidate in window.items()}
        return self._setup.pack.render(self._task, about.data(items, cut.events, cut.description), scene.language)

    @property
    def _wanted(self) -> int:
        return min(self._ask.n, len(self._found))

    async def _ask_for_ranking(self) -> Ranking:
        if self._config.strategy == "labels":
            return await tournament.play(self._found, self._by_labels)
        window = self._label(self._found)
        messages = self._messages(window, self._cut or Cut(0))
        tokens = self._front.sampling.max_tokens
        salt = self._config.cache_salt
        return await rank_by_list(
            self._setup.engine, messages, window, self._wanted, tokens_per_item=tokens, cache_salt=salt
        )

    async def _by_labels(self, candidates: Sequence[Candidate]) -> Ranking:
        """One window, in as many orders as the configuration says."""
        engine, salt, orders = self._setup.engine, self._config.cache_salt, self._config.permutations
        bias, usage = None, Usage()
        if self._config.calibrate:
            bias, usage = await self._setup.calibration.bias(LABELS[: len(candidates)], self._scene.language, salt)
        windows = [self._label(candidates, turn / orders) for turn in range(orders)]
        asked = (
            rank_by_labels(engine, self._messages(w, self._cut or Cut(0)), w, bias=bias, cache_salt=salt)
            for w in windows
        )
        ranking = average(await asyncio.gather(*asked))
        extra = 1 if usage.prompt_tokens else 0
        return replace(ranking, usage=ranking.usage + usage, calls=ranking.calls + extra)

    def _label(self, candidates: Sequence[Candidate], turn: float = 0.0) -> Window:
        """A window; the trace keeps the first label of each item."""
        window = assign_labels(candidates, self._scene.seed, turn)
        for label, candidate in window.items():
            self._labels.setdefault(candidate.item.item_id, label)
        return window

    async def _give_reason(self, explainer: Explainer, item: Item) -> None:
        """A checked reason for one item, or none where the list strategy did not name it."""
        cited = self._cited[item.item_id]
        if self._config.strategy == "json":
            self._check_listed(explainer, item, cited)
            return
        try:
            found = await explainer.explain(item, cited)
        except EngineError as error:
            self._fall_back("explain", error)
            found = Explained(plain_reason(cited, self._scene.language))
        self._usage += found.usage
        self._calls += found.calls
        self._reasons[item.item_id] = found.reason
        self._rejections += [found.rejection] if found.rejection else []

    def _check_listed(self, explainer: Explainer, item: Item, cited: Sequence[Cited]) -> None:
        text = self._ranking.reasons.get(item.item_id) if self._ranking else None
        if text is None:
            return
        scene = self._scene
        instructions = self._setup.pack.system("list", {"language": scene.words.name}, scene.language)
        self._reasons[item.item_id], rejection = explainer.check(item, cited, text, instructions=instructions)
        self._rejections += [rejection] if rejection else []

    def _fall_back(self, stage: Literal["rank", "explain"], error: Exception) -> None:
        if self._config.on_failure == "raise":
            raise error
        self._fallback = self._fallback or Fallback(stage=stage, cause=f"{type(error).__name__}: {error}")

    def _keep_places(self, ranked: Sequence[Scored]) -> list[Scored]:
        """The best and, as the policy wants it, most diverse; the last places are for what is to be tried."""
        n, diversity = self._ask.n, self._config.policy.diversity
        explored = [scored for scored in ranked if scored.candidate.source == "explore"][:n]
        others = [scored for scored in ranked if scored.candidate.source != "explore"]
        left = n - len(explored)
        if diversity:
            ids = [scored.candidate.item.item_id for scored in others]
            places = self._setup.retriever.diverse(ids, [scored.score for scored in others], left, diversity)
            return [*(others[place] for place in places), *explored]
        return [*others[:left], *explored]

    def _item(self, place: int, scored: Scored) -> RankedItem:
        item = scored.candidate.item
        by_model = self._ranking is not None and self._weight > 0
        return RankedItem(
            item_id=item.item_id,
            title=item.title,
            rank=place,
            score=scored.score,
            score_kind="fused" if by_model else "retrieval",
            source=_source(scored.candidate, by_model=by_model),
            reason=self._reasons.get(item.item_id),
            evidence=tuple(part.evidence for part in self._cited[item.item_id]),
        )

    def _trace(self) -> Trace:
        ranking = self._ranking or Ranking({}, {}, {}, Usage())
        return Trace(
            strategy=self._config.strategy,
            seed=self._scene.seed,
            model_weight=self._weight,
            model_calls=self._calls,
            candidates=tuple(
                TracedCandidate(
                    item_id=candidate.item.item_id,
                    label=self._labels.get(candidate.item.item_id),
                    retrieval_score=candidate.score,
                    model_logprob=ranking.logprobs.get(candidate.item.item_id),
                )
                for candidate in self._found
            ),
            invalid_labels=ranking.invalid,
            repeated_labels=ranking.repeated,
            truncated=ranking.truncated,
            retried=ranking.retried,
            rejected_reasons=tuple(self._rejections),
        )


def _source(candidate: Candidate, *, by_model: bool) -> Source:
    """The stage that gave an item its place: what is tried out has it whatever the model says."""
    return "llm" if by_model and candidate.source != "explore" else candidate.source
