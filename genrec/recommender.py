"""THE ONE PAGE: retrieve → render → rank → explain → check → Recommendation.

`stream` yields the answer as it grows; `recommend` is its last state. Around the five steps stand the
deadline, and what happens when the model fails: the retriever's order, marked as such.
"""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from genrec import prompting as prompts
from genrec._runner import Runner
from genrec.config import Config
from genrec.engine import (
    DEFAULT_ENCODER,
    Engine,
    HttpEngine,
    Sampling,
    VllmEngine,
    cache_folder,
    default_model,
    measured_weight,
    resolve,
)
from genrec.engine.base import collect
from genrec.errors import AnswerError, EngineError, EngineTimeout, PromptError
from genrec.explain import Cited, Facts, World, make_reason, pick_evidence, plain_reason
from genrec.prompting import Pack, load_pack
from genrec.ranking import Ranking, Scored, assign_labels, fuse, rank_by_labels, rank_by_list
from genrec.store import Store, folder_pack, read_folder
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
from retrieval import Candidate, Context, Encoder, Event, Item, Query, Retriever, SentenceEncoder, User
from retrieval.cache import VectorCache

_UNMEASURED_WEIGHT = 0.5
_JSON_STRATEGY = "json"


class Recommender:
    """Recommends items of a store to its users. Safe to call from any thread and any event loop."""

    def __init__(
        self,
        store: Store,
        retriever: Retriever,
        pack: Pack,
        engine: Engine,
        config: Config | None = None,
        *,
        runner: Runner | None = None,
    ) -> None:
        self.store = store
        self.retriever = retriever
        self.pack = pack
        self.engine = engine
        self.config = config or Config()
        self._runner = runner or Runner()
        self._categories = tuple({category for item in store.items for category in item.categories})

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        pack: str | Path | None = None,
        engine: str | Engine | None = None,
        model: str | None = None,
        encoder: str | Encoder = DEFAULT_ENCODER,
        config: Config | None = None,
        status: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Read a data folder, encode its items, start the language model.

        Args:
            pack: name or folder of the prompts; None takes the one that the data folder names, or `general`.
            engine: URL of a vLLM or OpenAI-compatible server, or an engine; None starts vLLM in this process.
            model: hub id, local folder or `wheel:PACKAGE`; None takes what suits this machine.
            status: called with a line whenever something that takes time begins.

        Raises:
            DataError, PromptError, ModelError, EngineError: with what is wrong and the cure.
        """
        store = read_folder(Path(folder))
        return cls.from_store(
            store,
            pack=pack or folder_pack(Path(folder)) or "general",
            engine=engine,
            model=model,
            encoder=encoder,
            config=config,
            status=status,
        )

    @classmethod
    def from_store(
        cls,
        store: Store,
        *,
        pack: str | Path = "general",
        engine: str | Engine | None = None,
        model: str | None = None,
        encoder: str | Encoder = DEFAULT_ENCODER,
        config: Config | None = None,
        status: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """The same for items, users and events that are in memory: `Store(items, users, events)`."""
        prompts_of_domain = load_pack(pack)
        retriever = build_retriever(store, encoder, status)
        runner = Runner()
        try:
            started = runner.run(_start(engine, model, status)) if isinstance(engine, str | None) else engine
        except BaseException:
            runner.close()
            raise
        return cls(store, retriever, prompts_of_domain, started, config, runner=runner)

    def recommend(
        self, user_id: str, n: int = 5, *, context: Context | None = None, instruction: str = ""
    ) -> Recommendation:
        """The n best items for a user, with reasons.

        Raises:
            NotFound: an unknown user. EngineError, AnswerError: with `on_failure="raise"`, the model failed.
        """
        return self._runner.run(self._last(_Ask(user_id, n, context or Context(), instruction)))

    async def arecommend(
        self, user_id: str, n: int = 5, *, context: Context | None = None, instruction: str = ""
    ) -> Recommendation:
        """The same, to await. Cancelling it frees the model's time at once."""
        return await self._runner.wait(self._last(_Ask(user_id, n, context or Context(), instruction)))

    def stream(
        self, user_id: str, n: int = 5, *, context: Context | None = None, instruction: str = ""
    ) -> Iterator[Recommendation]:
        """The ranked items at once, without reasons; again each time a reason is ready; last, the answer.

        Items never change their place from one state to the next.
        """
        return self._runner.iterate(self._states(_Ask(user_id, n, context or Context(), instruction)))

    def similar(self, item_id: str, n: int = 5) -> list[Candidate]:
        """The n items nearest in meaning. Raises NotFound for an unknown item."""
        return self.retriever.similar(self.store.item(item_id).item_id, n)

    def close(self) -> None:
        """Stop the language model and everything in flight."""
        self._runner.run(self.engine.close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _last(self, ask: _Ask) -> Recommendation:
        state = None
        async for state in self._states(ask):
            pass
        if state is None:
            raise AssertionError("a stream has at least one state")
        return state

    async def _states(self, ask: _Ask) -> AsyncIterator[Recommendation]:
        """The five steps."""
        if ask.n < 1:
            raise ValueError(f"n is {ask.n}: ask for at least one item")
        work = _Work(self, ask)
        async with work.timed("retrieve"):
            await work.retrieve()
        async with work.timed("render"):
            messages = await work.render()
        async with work.timed("rank"):
            await work.rank(messages)
        yield work.answer()
        async with work.timed("explain"):
            async for _ in work.explain(messages):
                yield work.answer()
        yield work.answer()


@dataclass(frozen=True)
class _Ask:
    user_id: str
    n: int
    context: Context
    instruction: str


@dataclass
class _Work:
    """One request on its way through the steps."""

    of: Recommender
    ask: _Ask
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=perf_counter)
    timings: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    fallback: Fallback | None = None
    ranking: Ranking | None = None
    reasons: dict[str, Reason] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    shown: Sequence[Scored] = ()
    cited: dict[str, tuple[Cited, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.user: User = self.of.store.user(self.ask.user_id)
        self.history: Sequence[Event] = self.of.store.history(self.ask.user_id)
        config, request = self.of.config, (self.ask.user_id, self.ask.instruction, self.ask.context.fields())
        self.seed = zlib.crc32(repr((config.seed, *request)).encode())
        self.weight = self._weight()
        self.now = self.ask.context.time or datetime.now(UTC)

    def timed(self, step: str) -> _Timer:
        return _Timer(self.timings, step)

    async def retrieve(self) -> None:
        """Candidates, in a window that the labels can hold."""
        config, n = self.of.config, self.ask.n
        query = Query(self.user, self.history, self.ask.context, self.ask.instruction)
        # A list that cannot change the order is asked only about what will be shown.
        fixed = self.weight == 0 and config.strategy == _JSON_STRATEGY
        window = n if fixed else max(config.candidates, n)
        found = await asyncio.to_thread(self.of.retriever.retrieve, query, window)
        if len(found) < n:
            self.warnings.append(f"{len(found)} items are left for this user, fewer than {n}")
        self.labelled = assign_labels(found[:26], self.seed)
        self.candidates = found

    async def render(self) -> prompts.Messages:
        """The ranking prompt; the oldest events give way where it would not fit."""
        pack, engine = self.of.pack, self.of.engine
        task: prompts.Task = "list" if self.of.config.strategy == _JSON_STRATEGY else "rank"
        room = engine.max_tokens - self._answer_tokens(task)
        events = self.history[-self.of.config.history :] if self.of.config.history else []
        while True:
            self.shared = self._shared(events)
            messages = pack.render(task, self.shared)
            # A token is at least a byte, so a short prompt needs no counting.
            if sum(len(m["content"].encode()) for m in messages) < room // 2:
                return messages
            tokens = await self._within_deadline(engine.count_tokens(messages), default=0)
            if tokens <= room:
                return messages
            if not events:
                raise PromptError(
                    f"the {task} prompt of pack {pack.name!r} has {tokens} tokens and the model takes {room}: "
                    "ask for fewer candidates or shorten the template"
                )
            events = events[(len(events) + 1) // 2 :]
            self.warnings.append(f"the prompt was too long: it shows the last {len(events)} events only")

    async def rank(self, messages: prompts.Messages) -> None:
        """The model's order fused with the retriever's, or the latter alone when the model fails."""
        labels = list(self.labelled)
        if labels:
            try:
                self.ranking = await self._within_deadline(self._ask_model(messages, labels))
                self.usage += self.ranking.usage
                self.warnings += self.ranking.warnings
            except (EngineError, AnswerError) as error:
                self._fall_back("rank", error)
        scores = self.ranking.scores if self.ranking else {}
        self.shown = fuse(self.labelled, scores, self.weight if self.ranking else 0)[: self.ask.n]
        world = self._world()
        self.cited = {s.candidate.item.item_id: pick_evidence(s.candidate, world) for s in self.shown}

    async def explain(self, messages: prompts.Messages) -> AsyncIterator[None]:
        """One reason for each item that the model ranked, side by side; yields whenever one is ready."""
        if not self.ranking or not self.of.config.explain:
            return
        others = self._names()
        jobs = [
            asyncio.create_task(self._reason(scored.candidate, others, messages[0]["content"]))
            for scored in self.shown
        ]
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
        of, ranking = self.of, self.ranking
        logprobs = ranking.logprobs if ranking else {}
        return Recommendation(
            id=self.id,
            user_id=self.ask.user_id,
            items=tuple(self._item(place, scored) for place, scored in enumerate(self.shown, start=1)),
            prompt=PromptVersion(name=of.pack.name, version=of.pack.version),
            model=of.engine.model,
            fallback=self.fallback,
            warnings=tuple(self.warnings),
            usage=self.usage,
            timings_ms=Timings(**self.timings, total=round((perf_counter() - self.started) * 1000, 1)),
            trace=Trace(
                strategy=of.config.strategy,
                seed=self.seed,
                model_weight=self.weight,
                model_calls=self.calls,
                candidates=tuple(
                    TracedCandidate(
                        item_id=candidate.item.item_id,
                        label=label,
                        retrieval_score=candidate.score,
                        model_logprob=logprobs.get(label),
                    )
                    for label, candidate in self.labelled.items()
                ),
                invalid_labels=ranking.invalid if ranking else 0,
                repeated_labels=ranking.repeated if ranking else 0,
                truncated=ranking.truncated if ranking else False,
                rejected_reasons=tuple(self.rejections),
            ),
        )

    def _weight(self) -> float:
        """The model's share: as configured, as measured, or half with a warning."""
        config, model = self.of.config, self.of.engine.model
        if config.model_weight is not None:
            return config.model_weight
        measured = measured_weight(model)
        if measured is None:
            self.warnings.append(f"model weight {_UNMEASURED_WEIGHT} was not fitted to {model}")
            return _UNMEASURED_WEIGHT
        return measured

    def _answer_tokens(self, task: prompts.Task) -> int:
        return self.of.pack.settings[task].max_tokens * (self.ask.n if task == "list" else 1)

    def _shared(self, events: Sequence[Event]) -> dict[str, Any]:
        """What every template of this request sees."""
        store = self.of.store
        return {
            "user": prompts.user_data(self.user),
            "history": prompts.history_data(events, store.item, self.now),
            "context": prompts.context_data(self.ask.context),
            "instruction": prompts.clean(self.ask.instruction),
            "candidates": [prompts.candidate_data(label, c.item) for label, c in self.labelled.items()],
            "n": min(self.ask.n, len(self.labelled)),
        }

    async def _ask_model(self, messages: prompts.Messages, labels: Sequence[str]) -> Ranking:
        self.calls += 1
        if self.of.config.strategy == _JSON_STRATEGY:
            per_item = self.of.pack.settings["list"].max_tokens
            return await rank_by_list(self.of.engine, messages, labels, min(self.ask.n, len(labels)), per_item)
        return await rank_by_labels(self.of.engine, messages, labels)

    async def _reason(self, candidate: Candidate, others: Sequence[str], instructions: str) -> None:
        """A checked reason for one item; without one where the list strategy did not rank it."""
        item = candidate.item
        cited = self.cited[item.item_id]
        try:
            text = await self._within_deadline(self._words(item, cited))
        except EngineError as error:
            self._fall_back("explain", error)
            self.reasons[item.item_id] = plain_reason(cited)
            return
        if text is None:
            return
        own = {item.item_id, *(part.evidence.ref for part in cited)}
        facts = Facts(item, cited, [name for name in others if name not in own], instructions)
        self.reasons[item.item_id], cause = make_reason(text, facts)
        if cause:
            self.rejections.append(Rejection(item_id=item.item_id, text=text[:300], cause=cause))

    async def _words(self, item: Item, cited: Sequence[Cited]) -> str | None:
        """What the model says for an item: from its list, or in a request of its own."""
        if self.of.config.strategy == _JSON_STRATEGY:
            label = next(label for label, c in self.labelled.items() if c.item.item_id == item.item_id)
            return self.ranking.reasons.get(label) if self.ranking else None
        evidence = [part.evidence.model_dump() for part in cited]
        data = {**self.shared, "item": prompts.item_data(item), "evidence": evidence}
        settings = self.of.pack.settings["explain"]
        sampling = Sampling(settings.max_tokens, settings.temperature, self.seed)
        self.calls += 1
        answer = await collect(self.of.engine.generate(self.of.pack.render("explain", data), sampling))
        self.usage += answer.usage
        return answer.text

    async def _within_deadline[T](self, call: Any, default: T | None = None) -> Any:
        left = self.of.config.deadline_s - (perf_counter() - self.started)
        try:
            return await asyncio.wait_for(call, timeout=max(0.0, left))
        except TimeoutError as error:
            deadline = f"{self.of.config.deadline_s:g} s"
            raise EngineTimeout(f"the model did not answer within the deadline of {deadline}") from error

    def _fall_back(self, stage: Any, error: Exception) -> None:
        if self.of.config.on_failure == "raise":
            raise error
        cause = f"{type(error).__name__}: {error}"
        self.fallback = self.fallback or Fallback(stage=stage, cause=cause)

    def _world(self) -> World:
        return World(
            user=self.user,
            history=self.history,
            context=self.ask.context,
            instruction=self.ask.instruction,
            title=lambda item_id: self.of.store.item(item_id).title,
            takers=lambda item_id: self.of.retriever.popularity.users[item_id],
            now=self.now,
        )

    def _names(self) -> list[str]:
        """What a reason must not say unless it is cited: other titles, categories, the user's attributes."""
        past = {self.of.store.item(event.item_id).title for event in self.history}
        titles = {candidate.item.title for candidate in self.candidates}
        attributes = {str(value) for value in self.user.attributes.values() if isinstance(value, str)}
        return sorted({*past, *titles, *attributes, *self.of._categories})

    def _item(self, place: int, scored: Scored) -> RankedItem:
        item = scored.candidate.item
        fused = self.ranking is not None and self.weight > 0
        return RankedItem(
            item_id=item.item_id,
            title=item.title,
            rank=place,
            score=scored.score,
            score_kind="fused" if fused else "retrieval",
            source="llm" if fused else _retrieval_source(scored.candidate),
            reason=self.reasons.get(item.item_id),
            evidence=tuple(part.evidence for part in self.cited[item.item_id]),
        )


class _Timer:
    """Milliseconds of a step, added to `timings` when it ends."""

    def __init__(self, timings: dict[str, float], step: str) -> None:
        self._timings, self._step = timings, step

    async def __aenter__(self) -> None:
        self._start = perf_counter()

    async def __aexit__(self, *_: object) -> None:
        self._timings[self._step] = round((perf_counter() - self._start) * 1000, 1)


def _retrieval_source(candidate: Candidate) -> Source:
    return "retrieval" if any(part.kind != "item" for part in candidate.contributions) else "popular"


def build_retriever(store: Store, encoder: str | Encoder, status: Callable[[str], None]) -> Retriever:
    """Encode the items of a store, those that are not in the cache yet."""
    if isinstance(encoder, str):
        folder = resolve(encoder, status)
        status("loading the encoder")
        encoder = SentenceEncoder(folder, name=encoder)
    status(f"encoding {len(store.items)} items")
    cache = VectorCache(cache_folder() / "vectors.sqlite")
    return Retriever.build(
        store.items,
        store.events,
        encoder,
        cache,
        progress=lambda done, of: status(f"encoding items: {done} of {of}"),
    )


async def _start(engine: str | None, model: str | None, status: Callable[[str], None]) -> Engine:
    if engine is not None:
        status(f"connecting to {engine}")
        return await HttpEngine.connect(engine, model=model)
    name = model or default_model()
    folder = await asyncio.to_thread(resolve, name, status)
    status(f"starting vLLM with {name}")
    return await VllmEngine.start(folder, name=name)
