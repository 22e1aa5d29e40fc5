"""THE ONE PAGE: retrieve → render → rank → explain → check → Recommendation.

`stream` yields the answer as it grows; `recommend` is its last state. What each step does, within the
deadline and when the model fails, stands in `_request.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from genrec import insight, runner
from genrec._explainer import explain_one
from genrec._request import Request
from genrec.calibration import Calibration
from genrec.config import MOST_CANDIDATES, ONE_WINDOW, Config
from genrec.engine import DEFAULT_ENCODER, Adapted, Engine, Lora
from genrec.parts import build_retriever, start_engine
from genrec.prompting import Pack, load_pack
from genrec.reasons import ReasonCache
from genrec.scene import Ask, Setup
from genrec.store import Store, folder_model_weights, folder_pack, folder_weights, read_folder
from genrec.types import Contrast, Explanation, Influences, Parameters, Recommendation, WhyNot
from genrec.wording import Language
from retrieval import Candidate, Context, Encoder, Event, Filter, Item, Retriever, User, Weights
from retrieval.index import Index

DEFAULT_PACK = "general"


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
        model_weights: Mapping[str, float] | None = None,
        owns_engine: bool = False,
    ) -> None:
        """`model_weights`: share in the fused score by the model's name, as `genrec fit --ranking` finds it."""
        self.store = store
        self.retriever = retriever
        self.pack = pack
        self.engine = engine
        self.config = config or Config()
        self._owns_engine = owns_engine
        self.setup = Setup(
            store,
            retriever,
            pack,
            engine,
            self.config,
            Calibration(engine, pack),
            ReasonCache(),
            (model_weights or {}).get(engine.model),
        )

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        pack: str | Path | Pack | None = None,
        engine: str | Engine | None = None,
        model: str | None = None,
        encoder: str | Encoder = DEFAULT_ENCODER,
        adapter: Lora | None = None,
        index: Index | None = None,
        config: Config | None = None,
        status: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Read a data folder, encode its items, start the language model.

        Args:
            pack: the prompts, or their name or folder; None takes the one that the data folder names, or `general`.
            engine: URL of a vLLM or OpenAI-compatible server, or an engine; None starts vLLM in this process.
            model: hub id, local folder or `wheel:PACKAGE`; None takes what suits this machine.
            encoder: the same for the sentence encoder, or an object with the protocol `Encoder`.
            adapter: what the model ranks with, as for `from_store`.
            index: where vectors are kept; None keeps them in memory, which serves up to some 200,000 items.
            status: called with a line whenever something that takes time begins.

        Weights that `genrec fit` wrote into the folder are used.

        Raises:
            DataError, PromptError, ModelError, EngineError: with what is wrong and the cure.
        """
        return cls.from_store(
            read_folder(Path(folder)),
            weights=folder_weights(Path(folder)),
            model_weights=folder_model_weights(Path(folder)),
            pack=pack or folder_pack(Path(folder)) or DEFAULT_PACK,
            engine=engine,
            model=model,
            encoder=encoder,
            adapter=adapter,
            index=index,
            config=config,
            status=status,
        )

    @classmethod
    def from_store(
        cls,
        store: Store,
        *,
        pack: str | Path | Pack = DEFAULT_PACK,
        engine: str | Engine | None = None,
        model: str | None = None,
        encoder: str | Encoder = DEFAULT_ENCODER,
        weights: Weights | None = None,
        model_weights: Mapping[str, float] | None = None,
        adapter: Lora | None = None,
        index: Index | None = None,
        config: Config | None = None,
        status: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """The same for items, users and events that are in memory: `Store(items, users, events)`.

        `adapter`: what the model ranks with, as `genrec.learn.loading` checks it, by the weight that it earned. vLLM in
        this process makes room for it; a server has to take it.

        Raises:
            ValueError: an adapter for an engine that runs already.
        """
        if adapter and not (engine is None or isinstance(engine, str)):
            raise ValueError("an adapter is loaded where the engine is started: leave one of the two out")
        loaded = pack if isinstance(pack, Pack) else load_pack(pack)
        weights_of = dict(model_weights or {}) | ({adapter.name: adapter.weight} if adapter else {})
        retriever = build_retriever(store, encoder, status, weights, index)
        if engine is None or isinstance(engine, str):
            started = runner.run(start_engine(engine, model, status, adapter.rank if adapter else 0))
            ranks = runner.run(Adapted.load(started, adapter)) if adapter else started
            return cls(store, retriever, loaded, ranks, config, model_weights=weights_of, owns_engine=True)
        return cls(store, retriever, loaded, engine, config, model_weights=weights_of)

    def recommend(
        self,
        user_id: str,
        n: int = 5,
        *,
        context: Context | None = None,
        instruction: str = "",
        filter: Filter | None = None,
        language: Language | None = None,
        profiling: bool = True,
    ) -> Recommendation:
        """The n best items for a user, with reasons; 1 ≤ n ≤ 200, or 26 with the strategy `json`.

        `language` is the one of the reasons (`en`, `zh`); None takes the configuration's. Without `profiling` nothing
        of the user's history and attributes is used, and the user need not be known.

        Raises:
            ValueError: n. NotFound: an unknown user. PromptError: a template fails on this request.
            EngineError, AnswerError: the model failed and the configuration says `on_failure="raise"`.
        """
        return runner.run(self._last(self._ask(user_id, n, context, instruction, filter, language, profiling)))

    async def arecommend(
        self,
        user_id: str,
        n: int = 5,
        *,
        context: Context | None = None,
        instruction: str = "",
        filter: Filter | None = None,
        language: Language | None = None,
        profiling: bool = True,
        deadline_s: float | None = None,
    ) -> Recommendation:
        """The same, to await. Cancelling it frees the model's time at once.

        `deadline_s`: what is left of the time where some of it was spent already; None is the configuration's.
        """
        ask = self._ask(user_id, n, context, instruction, filter, language, profiling, deadline_s)
        return await runner.wait(self._last(ask))

    def stream(
        self,
        user_id: str,
        n: int = 5,
        *,
        context: Context | None = None,
        instruction: str = "",
        filter: Filter | None = None,
        language: Language | None = None,
        profiling: bool = True,
    ) -> Iterator[Recommendation]:
        """The items in the retriever's order at once, then as they are ranked, then with each reason that is ready.

        The first state comes before the model is asked, and is `provisional` where the model may change the order; from
        the second on no item changes its place. The last state is the answer.
        """
        return runner.iterate(self._states(self._ask(user_id, n, context, instruction, filter, language, profiling)))

    def astream(
        self,
        user_id: str,
        n: int = 5,
        *,
        context: Context | None = None,
        instruction: str = "",
        filter: Filter | None = None,
        language: Language | None = None,
        profiling: bool = True,
        deadline_s: float | None = None,
    ) -> AsyncIterator[Recommendation]:
        """The same, for `async for`. Leaving it early, or cancelling it, frees the model's time at once."""
        ask = self._ask(user_id, n, context, instruction, filter, language, profiling, deadline_s)
        return runner.follow(self._states(ask))

    def explain(
        self,
        user_id: str,
        item_id: str,
        *,
        context: Context | None = None,
        instruction: str = "",
        language: Language | None = None,
    ) -> Explanation:
        """Why an item suits a user, recommended or not: what speaks for it, in a checked sentence.

        Raises:
            NotFound: an unknown user or item. EngineError: as for `recommend`.
        """
        ask = self._ask(user_id, 1, context, instruction, None, language)
        return runner.run(explain_one(self.setup, ask, self.store.item(item_id)))

    async def aexplain(
        self,
        user_id: str,
        item_id: str,
        *,
        context: Context | None = None,
        instruction: str = "",
        language: Language | None = None,
        deadline_s: float | None = None,
    ) -> Explanation:
        """The same, to await. Cancelling it frees the model's time at once."""
        ask = self._ask(user_id, 1, context, instruction, None, language, deadline_s=deadline_s)
        return await runner.wait(explain_one(self.setup, ask, self.store.item(item_id)))

    def why_not(
        self,
        user_id: str,
        item_id: str,
        n: int = 5,
        *,
        context: Context | None = None,
        instruction: str = "",
        filter: Filter | None = None,
        language: Language | None = None,
    ) -> WhyNot:
        """Why an item is not among the n that retrieval puts first: what is above it, and the signals that it lacks.

        Asks no language model. Raises NotFound for an unknown user or item.
        """
        ask = self._ask(user_id, n, context, instruction, filter, language)
        return insight.why_not(self.setup.scene(ask), self.store.item(item_id).item_id)

    def influences(
        self,
        user_id: str,
        item_id: str,
        *,
        context: Context | None = None,
        instruction: str = "",
        filter: Filter | None = None,
        language: Language | None = None,
        profiling: bool = True,
    ) -> Influences:
        """Everything that speaks for an item and against it, and where it would stand without each of these.

        Asks no language model. Raises NotFound for an unknown user or item.
        """
        ask = self._ask(user_id, 1, context, instruction, filter, language, profiling)
        return insight.influences(self.setup.scene(ask), self.store.item(item_id).item_id)

    def contrast(
        self,
        user_id: str,
        a: str,
        b: str,
        *,
        context: Context | None = None,
        instruction: str = "",
        language: Language | None = None,
    ) -> Contrast:
        """What sets two items apart for a user, cause by cause; the differences sum to the scores.

        Asks no language model. Raises NotFound for an unknown user or item.
        """
        scene = self.setup.scene(self._ask(user_id, 1, context, instruction, None, language))
        return insight.contrast(scene, self.store.item(a).item_id, self.store.item(b).item_id)

    def similar(self, item_id: str, n: int = 5, *, filter: Filter | None = None) -> list[Candidate]:
        """The n items most like one item, each with what makes it so. Raises NotFound for an unknown item."""
        return self.retriever.similar(self.store.item(item_id).item_id, n, filter)

    def parameters(self) -> Parameters:
        """What decides on the order of a list, in plain words: for those who must be told."""
        return insight.parameters(self.setup)

    def add_items(self, items: Iterable[Item]) -> None:
        """Add items, or replace those with the same ids: they can be recommended when this returns."""
        items = list(items)
        self.store.add_items(items)
        self.retriever.knowledge.add_items(items)

    def add_users(self, users: Iterable[User]) -> None:
        """Add users, or replace those with the same ids."""
        users = list(users)
        self.store.add_users(users)
        self.retriever.knowledge.add_users(users)

    def add_events(self, events: Iterable[Event]) -> None:
        """Add events: they count in the next request. All or, with DataError for an unknown item, none of them."""
        events = list(events)
        self.store.add_events(events)
        self.retriever.knowledge.add_events(events)

    def with_pack(self, pack: Pack) -> Recommender:
        """The same with other prompts: items, events, vectors and engine are shared."""
        fitted = self.setup.model_weight
        weights = {} if fitted is None else {self.engine.model: fitted}
        return Recommender(self.store, self.retriever, pack, self.engine, self.config, model_weights=weights)

    def with_engine(self, engine: Engine, weight: float) -> Recommender:
        """The same with another model, and its share in the fused score; what was kept of the other's is not used."""
        weights = {engine.model: weight}
        return Recommender(self.store, self.retriever, self.pack, engine, self.config, model_weights=weights)

    def close(self) -> None:
        """Stop the language model, unless it was given as an object: that one is its owner's to close."""
        if self._owns_engine:
            runner.run(self.engine.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _states(self, ask: Ask) -> AsyncIterator[Recommendation]:
        request = Request(self.setup, ask)
        async for _ in self._steps(request):
            yield request.answer()

    async def _last(self, ask: Ask) -> Recommendation:
        request = Request(self.setup, ask)
        async for _ in self._steps(request):
            pass
        return request.answer()

    async def _steps(self, request: Request) -> AsyncIterator[None]:
        """The five steps; yields whenever there is more to show.

        The check is part of `explain`: no reason gets into an answer around it.
        """
        with request.timed("retrieve"):
            await request.retrieve()
        yield
        with request.timed("render"):
            await request.render()
        with request.timed("rank"):
            await request.rank()
        yield
        with request.timed("explain"):
            async for _ in request.explain():
                yield
        yield

    def _ask(
        self,
        user_id: str,
        n: int,
        context: Context | None,
        instruction: str,
        filter_: Filter | None,
        language: Language | None,
        profiling: bool = True,
        deadline_s: float | None = None,
    ) -> Ask:
        most = ONE_WINDOW if self.config.strategy == "json" else MOST_CANDIDATES
        if not 1 <= n <= most:
            raise ValueError(f"n is {n}: ask for 1 to {most} items")
        return Ask(user_id, n, context or Context(), instruction, filter_ or Filter(), language, profiling, deadline_s)
