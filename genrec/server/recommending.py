"""One list for one request: admitted, made from what is in memory, kept in the database, counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from genrec.errors import NotFound, StoreError
from genrec.prompting import Pack
from genrec.recommender import Recommender
from genrec.scene import Ask
from genrec.server.admission import TimeLeft
from genrec.server.bodies import AskBody
from genrec.server.desk import Desk
from genrec.server.fields import parsed
from genrec.server.logs import log_warning
from genrec.server.service import Service
from genrec.store.database import Saved
from genrec.types import Recommendation, Variant

NOT_KEPT = "this list was not kept, so its id cannot be asked for or named by events: "
_ARGUMENTS = ("user_id", "n", "context", "instruction", "filter", "language", "profiling")


async def recommend(service: Service, desk: Desk, asked: AskBody) -> Recommendation:
    """A whole answer.

    Raises:
        EmptyCatalogue, NotFound, PromptError: as they are. EngineBusy, EngineTimeout: no place in time.
        StoreError: the tenant was never loaded, and cannot be now.
    """
    async with _at_work(service, desk, asked) as (recommender, variant, warnings, left):
        found = await recommender.arecommend(**_arguments(asked), deadline_s=left())
    answer = _warned(_of_variant(found, variant), warnings)
    service.metrics.count(answer)
    return _warned(answer, await _keep(service, desk, desk.tenant.save_recommendation, answer, request_of(asked)))


async def try_out(service: Service, desk: Desk, asked: AskBody, pack: Pack) -> Recommendation:
    """A whole answer by other prompts, which is not kept and counts nowhere. Raises as `recommend` does."""
    async with _placed(service, desk) as (recommender, warnings, left):
        found = await recommender.with_pack(pack).arecommend(**_arguments(asked), deadline_s=left())
    return _warned(found, warnings)


async def check(service: Service, desk: Desk, asked: AskBody) -> Recommender:
    """The recommender that will be asked: what can be refused before the first state is refused here.

    Raises EngineBusy, EmptyCatalogue, NotFound, StoreError.
    """
    service.admission.check()
    async with desk.at_hand() as (recommender, _):
        if asked.profiling:
            recommender.store.user(asked.user_id)
        return recommender


async def states(service: Service, desk: Desk, asked: AskBody) -> AsyncIterator[Recommendation]:
    """The answer as it grows. The first state is kept, so that events can name it, and in its place the last one.

    Raises as `recommend` does.
    """
    answer = None
    async with _at_work(service, desk, asked) as (recommender, variant, warnings, left):
        async for grown in recommender.astream(**_arguments(asked), deadline_s=left()):
            state = _of_variant(grown, variant)
            if answer is None:
                warnings += await _keep(service, desk, desk.tenant.save_recommendation, state, request_of(asked))
            answer = _warned(state, warnings)
            yield answer
    if answer:
        service.metrics.count(answer)
        kept = not any(warning.startswith(NOT_KEPT) for warning in warnings)
        yield _warned(answer, await _keep(service, desk, desk.tenant.complete_recommendation, answer) if kept else [])


def request_of(asked: AskBody) -> dict[str, Any]:
    """What was asked for, as it is kept with the list."""
    return asked.model_dump(mode="json", exclude={"stream"})


@asynccontextmanager
async def _placed(service: Service, desk: Desk) -> AsyncIterator[tuple[Recommender, list[str], TimeLeft]]:
    """A place in the service, the recommender at hand, warnings, and the time that is left.

    What fails inside is counted, for neither a stream nor a batch says it by a status.
    """
    try:
        async with service.admission.place() as left, desk.at_hand() as (recommender, warnings):
            yield recommender, warnings, left
    except Exception as error:
        service.metrics.failed.labels(type(error).__name__).inc()
        raise


@asynccontextmanager
async def _at_work(
    service: Service, desk: Desk, asked: AskBody
) -> AsyncIterator[tuple[Recommender, Variant | None, list[str], TimeLeft]]:
    """The same with the prompts that the request names, or else that are chosen for it: the variant they are."""
    async with _placed(service, desk) as (recommender, warnings, left):
        if asked.prompt:
            yield await desk.prompted(recommender, asked.prompt), None, warnings, left
        else:
            chosen, variant = await desk.contested(recommender, Ask(**_arguments(asked)))
            yield chosen, variant, warnings, left


def following(saved: Saved, n: int | None) -> AskBody:
    """The same request again, without what its list showed; what earlier lists showed it excludes already."""
    asked = parsed(AskBody, dict(saved.request))
    shown = {item.item_id for item in saved.recommendation.items}
    rest = asked.filter.model_copy(update={"deny": asked.filter.deny | shown})
    return asked.model_copy(update={"filter": rest, "n": n or asked.n})


async def _keep(service: Service, desk: Desk, write: Callable[..., None], *record: object) -> list[str]:
    """Write an answer; a warning where that fails."""
    try:
        await desk.write(write, *record)
    except (StoreError, NotFound) as error:
        service.metrics.unkept.inc()
        log_warning("a recommendation was not kept", error)
        return [NOT_KEPT + ("the user is not known" if isinstance(error, NotFound) else "the database did not answer")]
    return []


def _of_variant(answer: Recommendation, variant: Variant | None) -> Recommendation:
    if variant is None:
        return answer
    return answer.model_copy(update={"trace": answer.trace.model_copy(update={"variant": variant})})


def _arguments(asked: AskBody) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in _ARGUMENTS}


def _warned(answer: Recommendation, warnings: Sequence[str]) -> Recommendation:
    return answer.model_copy(update={"warnings": (*answer.warnings, *warnings)}) if warnings else answer
