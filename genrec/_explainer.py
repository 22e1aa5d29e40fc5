"""One reason for one item: evidence and the item's facts to the model, its sentence to the check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from genrec import tracing
from genrec.deadline import Deadline
from genrec.engine import Sampling
from genrec.engine.base import begins_answer, collect
from genrec.errors import EngineError
from genrec.explain import Cited, by_signal, facts_of, make_reason, pick_evidence, plain_reason, reason_messages
from genrec.grounding import Names
from genrec.reasons import reason_key
from genrec.scene import Ask, Scene, Setup
from genrec.threads import beside
from genrec.types import Explanation, Fallback, PromptVersion, Reason, Rejection, Usage
from retrieval import Item


@dataclass(frozen=True)
class Explained:
    """A reason, what it cost, and the model's sentence where that was refused."""

    reason: Reason
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=Usage)
    calls: int = 0


class Explainer:
    """Words the evidence of one scene. `names` are what a reason must not say unless it is cited."""

    def __init__(self, setup: Setup, scene: Scene, deadline: Deadline, names: Sequence[Names]) -> None:
        self._setup, self._scene, self._deadline, self._names = setup, scene, deadline, names

    async def explain(self, item: Item, cited: Sequence[Cited]) -> Explained:
        """A checked reason, by the model or from the cache. Raises EngineError where the model does not answer."""
        setup, pack = self._setup, self._setup.pack
        evidence = [part.evidence for part in cited]
        messages = reason_messages(pack, item, evidence, self._scene.language)
        beginning = messages[-1]["content"] if begins_answer(messages) else ""
        key = reason_key([part.text for part in evidence], item, pack.version, setup.engine.model, messages)
        text, usage, calls = setup.reasons.get(key), Usage(), 0
        if text is None:
            said = pack.front("explain", self._scene.language).sampling
            sampling = Sampling(said.max_tokens, said.temperature, cache_salt=setup.config.cache_salt)
            answer = await self._deadline.hold(collect(setup.engine.generate(messages, sampling)))
            text, usage, calls = beginning + answer.text, answer.usage, 1
            setup.reasons.keep(key, text)
        reason, rejection = self.check(item, cited, text, instructions=messages[0]["content"], beginning=beginning)
        return Explained(reason, rejection, usage, calls)

    def check(
        self, item: Item, cited: Sequence[Cited], text: str, *, instructions: str, beginning: str = ""
    ) -> tuple[Reason, Rejection | None]:
        """What the model wrote as a reason: as it is, or a plain one, and what was refused."""
        with tracing.span("check") as span:
            facts = facts_of(item, cited, self._names, instructions, self._scene.language)
            reason, cause = make_reason(text, cited, facts, beginning=beginning)
            span.set_attribute("genrec.rejected", bool(cause))
        return reason, Rejection(item_id=item.item_id, text=text[:300], cause=cause) if cause else None


async def explain_one(setup: Setup, ask: Ask, item: Item) -> Explanation:
    """Why an item suits a user, recommended or not. Raises EngineError where that is what the configuration says."""
    scene, pack = setup.scene(ask), setup.pack
    with tracing.span("retrieve"):
        [candidate] = await beside(setup.retriever.score, scene.query, [item.item_id])
    fields = pack.front("rank", scene.language).user_fields
    cited = pick_evidence(candidate, scene.world(scene.latest(setup.config.history), fields))
    explainer = Explainer(setup, scene, setup.deadline(ask), scene.names([item]))
    fallback = None
    try:
        with tracing.span("explain"):
            found = await explainer.explain(item, cited)
    except EngineError as error:
        if setup.config.on_failure == "raise":
            raise
        fallback = Fallback(stage="explain", cause=f"{type(error).__name__}: {error}")
        found = Explained(plain_reason(cited, scene.language))
    return Explanation(
        user_id=scene.user.user_id,
        item_id=item.item_id,
        title=item.title,
        score=candidate.score,
        signals=by_signal(candidate),
        evidence=tuple(part.evidence for part in cited),
        reason=found.reason,
        rejected=found.rejection,
        prompt=PromptVersion(name=pack.name, version=pack.version),
        model=setup.engine.model,
        fallback=fallback,
        usage=found.usage,
    )
