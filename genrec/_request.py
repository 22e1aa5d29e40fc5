"""One request on its way through the five steps: within its deadline, and when the model fails."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Literal, TypeVar

from genrec import prompting
from genrec.config import Config
from genrec.engine import Engine, Sampling, measured_weight
from genrec.engine.base import begins_answer, collect
from genrec.errors import AnswerError, EngineError, EngineTimeout, PromptError
from genrec.explain import Cited, World, facts_of, make_reason, pick_evidence, plain_reason
from genrec.prompting import Messages, Pack
from genrec.ranking import Ranking, Scored, assign_labels, fuse, rank_by_labels, rank_by_list
from genrec.store import Store
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
from retrieval import Candidate, Context, Filter, Item, Query, Retriever

_UNMEASURED_WEIGHT = 0.5
_CHAT_TEMPLATE_TOKENS = 200
"""More than any chat template adds around two messages."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Ask:
    """What somebody wants: n items for a user, here and now."""

    user_id: str
    n: int
    context: Context
    instruction: str
    filter: Filter


class Request:
    """Each step adds what the next one needs; `answer` says what is known by now."""

    def __init__(
        self, ask: Ask, store: Store, retriever: Retriever, pack: Pack, engine: Engine, config: Config
    ) -> None:
        self._started = perf_counter()
        self._id = uuid.uuid4().hex
        self._ask, self._store, self._retriever = ask, store, retriever
        self._pack, self._engine, self._config = pack, engine, config
        self._user = store.user(ask.user_id)
        self._history = store.history(ask.user_id)
        self._events = self._history[-config.history :] if config.history else ()
        self._now = ask.context.time or datetime.now(UTC)
        self._seed = zlib.crc32(repr((config.seed, ask.user_id, ask.instruction, ask.context.fields())).encode())
        self._warnings: list[str] = []
        self._weight = self._model_weight()
        self._labelled: dict[str, Candidate] = {}
        self._messages: Messages | None = None
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
        """Note how long a step took, in milliseconds."""
        start = perf_counter()
        yield
        self._timings[step] = round((perf_counter() - start) * 1000, 1)

    async def retrieve(self) -> None:
        """Candidates, each behind a label."""
        config, ask, n = self._config, self._ask, self._ask.n
        policy = config.policy.model_copy(update={"seed": self._seed})
        query = Query(
            self._user, self._history, ask.context, ask.instruction, ask.filter, policy, now=_with_zone(self._now)
        )
        # A list that cannot change the order is asked only about what will be shown.
        fixed = self._weight == 0 and config.strategy == "json"
        found = await asyncio.to_thread(self._retriever.retrieve, query, n if fixed else max(config.candidates, n))
        if len(found) < n:
            self._warnings.append(f"{len(found)} items are left for this user, fewer than {n}")
        self._labelled = assign_labels(found, self._seed)

    async def render(self) -> None:
        """The ranking prompt; the oldest events give way where it would not fit."""
        if not self._labelled:
            return
        room = self._engine.max_tokens - self._answer_tokens()
        messages = self._pack.render(self._task, self._data())
        try:
            while await self._too_long(messages, room):
                if not self._events:
                    raise PromptError(
                        f"the {self._task} prompt of pack {self._pack.name!r} is longer than the {room} tokens that "
                        f"model {self._engine.model} takes: ask for fewer candidates or shorten the template"
                    )
                self._events = self._events[(len(self._events) + 1) // 2 :]
                messages = self._pack.render(self._task, self._data())
                self._warnings.append(f"the prompt was too long: it shows the last {len(self._events)} events only")
        except EngineError as error:
            self._fall_back("rank", error)
        else:
            self._messages = messages

    async def rank(self) -> None:
        """The model's order fused with the retriever's, or the latter alone when the model fails."""
        if self._messages:
            try:
                self._ranking = await self._in_time(self._ask_for_ranking(self._messages))
                self._usage += self._ranking.usage
                self._warnings += self._ranking.warnings
            except (EngineError, AnswerError) as error:
                self._fall_back("rank", error)
        weight = self._weight if self._ranking else 0.0
        scores = self._ranking.scores if self._ranking else {}
        self._shown = self._keep_places(fuse(self._labelled, scores, weight))
        world = self._world()
        self._cited = {s.candidate.item.item_id: pick_evidence(s.candidate, world) for s in self._shown}

    async def explain(self) -> AsyncIterator[None]:
        """One reason for each item that the model ranked, side by side; yields whenever one is ready."""
        if not self._ranking or not self._config.explain:
            return
        names = self._names()
        jobs = [asyncio.create_task(self._give_reason(scored.candidate.item, names)) for scored in self._shown]
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
        return Recommendation(
            id=self._id,
            user_id=self._ask.user_id,
            items=tuple(self._item(place, scored) for place, scored in enumerate(self._shown, start=1)),
            prompt=PromptVersion(name=self._pack.name, version=self._pack.version),
            model=self._engine.model,
            fallback=self._fallback,
            warnings=tuple(self._warnings),
            usage=self._usage,
            timings_ms=Timings(**self._timings, total=round((perf_counter() - self._started) * 1000, 1)),
            trace=self._trace(),
        )

    @property
    def _task(self) -> prompting.Task:
        return "list" if self._config.strategy == "json" else "rank"

    def _model_weight(self) -> float:
        """The model's share: as configured, as measured, or half with a warning."""
        if self._config.model_weight is not None:
            return self._config.model_weight
        measured = measured_weight(self._engine.model)
        if measured is None:
            self._warnings.append(f"model weight {_UNMEASURED_WEIGHT} was not fitted to {self._engine.model}")
            return _UNMEASURED_WEIGHT
        return measured

    def _answer_tokens(self) -> int:
        """`max_tokens` of the list template is for each item."""
        return self._pack.settings[self._task].max_tokens * (self._ask.n if self._task == "list" else 1)

    async def _too_long(self, messages: Messages, room: int) -> bool:
        # A token is at least a byte, so a short prompt needs no counting.
        if sum(len(message["content"].encode()) for message in messages) + _CHAT_TEMPLATE_TOKENS <= room:
            return False
        return await self._in_time(self._engine.count_tokens(messages)) > room

    def _data(self) -> dict[str, Any]:
        """What every template of this request sees."""
        return {
            "user": prompting.user_data(self._user),
            "history": prompting.history_data(self._events, self._store.item, self._now),
            "context": prompting.context_data(self._ask.context),
            "instruction": prompting.clean(self._ask.instruction),
            "candidates": [prompting.candidate_data(label, c.item) for label, c in self._labelled.items()],
            "n": self._wanted,
        }

    @property
    def _wanted(self) -> int:
        return min(self._ask.n, len(self._labelled))

    async def _ask_for_ranking(self, messages: Messages) -> Ranking:
        self._calls += 1
        labels = list(self._labelled)
        if self._config.strategy == "labels":
            return await rank_by_labels(self._engine, messages, labels)
        tokens = self._pack.settings["list"].max_tokens
        return await rank_by_list(self._engine, messages, labels, self._wanted, tokens)

    async def _give_reason(self, item: Item, names: Sequence[str]) -> None:
        """A checked reason for one item, or none where the list strategy did not name it."""
        cited = self._cited[item.item_id]
        try:
            beginning, text = await self._in_time(self._words(item, cited))
        except EngineError as error:
            self._fall_back("explain", error)
            self._reasons[item.item_id] = plain_reason(cited)
            return
        if text is None:
            return
        instructions = self._messages[0]["content"] if self._messages else ""
        reason, cause = make_reason(
            beginning + text, cited, facts_of(item, cited, names, instructions), beginning=beginning
        )
        self._reasons[item.item_id] = reason
        if cause:
            self._rejections.append(Rejection(item_id=item.item_id, text=(beginning + text)[:300], cause=cause))

    async def _words(self, item: Item, cited: Sequence[Cited]) -> tuple[str, str | None]:
        """What the model says for an item, from its list or in a request of its own, behind what it continues."""
        if self._config.strategy == "json":
            [label] = [label for label, candidate in self._labelled.items() if candidate.item is item]
            return "", self._ranking.reasons.get(label) if self._ranking else None
        evidence = [part.evidence.model_dump() for part in cited]
        data = {**self._data(), "item": prompting.item_data(item), "evidence": evidence}
        settings = self._pack.settings["explain"]
        sampling = Sampling(settings.max_tokens, settings.temperature, self._seed)
        self._calls += 1
        messages = self._pack.render("explain", data)
        answer = await collect(self._engine.generate(messages, sampling))
        self._usage += answer.usage
        return messages[-1]["content"] if begins_answer(messages) else "", answer.text

    async def _in_time(self, call: Awaitable[_T]) -> _T:
        left = self._config.deadline_s - (perf_counter() - self._started)
        try:
            return await asyncio.wait_for(call, timeout=max(0.0, left))
        except TimeoutError as error:
            raise EngineTimeout(
                f"the model did not answer within the deadline of {self._config.deadline_s:g} s"
            ) from error

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
            places = self._retriever.diverse(ids, [scored.score for scored in others], left, diversity)
            return [*(others[place] for place in places), *explored]
        return [*others[:left], *explored]

    def _world(self) -> World:
        return World(
            user=self._user,
            events=self._events,
            context=self._ask.context,
            instruction=self._ask.instruction,
            title=lambda item_id: self._store.item(item_id).title,
            takers=lambda item_id: self._retriever.knowledge.takers(item_id),
            now=self._now,
        )

    def _names(self) -> list[str]:
        """What a reason must not say unless it is cited: other titles, categories, the user's attributes."""
        past = {self._store.item(event.item_id).title for event in self._history}
        titles = {candidate.item.title for candidate in self._labelled.values()}
        attributes = {value for value in self._user.attributes.values() if isinstance(value, str)}
        return sorted({*past, *titles, *attributes, *self._store.categories})

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
            seed=self._seed,
            model_weight=self._weight,
            model_calls=self._calls,
            candidates=tuple(
                TracedCandidate(
                    item_id=candidate.item.item_id,
                    label=label,
                    retrieval_score=candidate.score,
                    model_logprob=ranking.logprobs.get(label),
                )
                for label, candidate in self._labelled.items()
            ),
            invalid_labels=ranking.invalid,
            repeated_labels=ranking.repeated,
            truncated=ranking.truncated,
            rejected_reasons=tuple(self._rejections),
        )


def _source(candidate: Candidate, *, by_model: bool) -> Source:
    """The stage that gave an item its place: what is tried out has it whatever the model says."""
    return "llm" if by_model and candidate.source != "explore" else candidate.source


def _with_zone(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
