"""A tenant's prompts over HTTP: read, tried out, kept, and labels moved by whoever has seen where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from genrec.authoring.cases import Outcome
from genrec.authoring.lint import Finding
from genrec.authoring.rendering import Rendered
from genrec.authoring.samples import sample_names
from genrec.errors import Conflict
from genrec.prompting import Pack
from genrec.prompting.front import FrontMatter
from genrec.prompting.versions import Label, Move
from genrec.server.access import Admin, Reader
from genrec.server.bodies import AtBody, LabelBody, RenderBody
from genrec.server.desk import Desk
from genrec.server.drafting import in_turn
from genrec.server.failures import PreconditionFailed, PreconditionRequired
from genrec.server.fields import Id, PathId
from genrec.server.routes.common import TheService, errors
from genrec.server.service import Service

router = APIRouter(prefix="/v1/prompts", tags=["prompts"])

_T = TypeVar("_T")
_NOWHERE = "none"
"""The ETag of a label that stands nowhere."""

At = Annotated[Id | None, Query(description="A label or version; what answers, if not said.")]
IfMatch = Annotated[str | None, Header(description='Where the label stands: `"VERSION"`, or `"none"`.')]


class Named(BaseModel):
    """A pack of prompts. `served`: its prompts answer; `version` is the one that does or would."""

    name: str
    served: bool
    version: str
    labels: dict[str, str]


class Packs(BaseModel):
    """Every pack, the one that answers first."""

    prompts: list[Named]


class Shown(Named):
    """A version with all that stands in it."""

    languages: list[str]
    files: dict[str, str]
    templates: dict[str, FrontMatter]
    samples: list[str]
    moves: list[Move]


class Version(BaseModel):
    """A version; one that ships with genrec has no `created_at`."""

    version: str
    created_at: str | None
    labels: list[str]


class Versions(BaseModel):
    """Every version, oldest first."""

    versions: list[Version]


class Kept(BaseModel):
    """A version that is kept from now on, and what is wrong with it."""

    version: str
    findings: list[Finding]


class RenderedBody(BaseModel):
    """The messages of a sample with their tokens; `cut` says in words what the budget cut."""

    version: str
    rendered: Rendered
    fits: bool
    cut: str


class Findings(BaseModel):
    """What is wrong: an `error` stands in the way of a label."""

    version: str
    findings: list[Finding]


class Outcomes(BaseModel):
    """What became of each test."""

    version: str
    passed: bool
    tests: list[Outcome]


class Stand(BaseModel):
    """Where a label stands."""

    label: Label
    version: str | None


@router.get("", responses=errors())
async def list_prompts(desk: Reader) -> Packs:
    """The packs that there are, and which answers."""
    prompts = desk.prompts
    return await desk.read(lambda: Packs(prompts=[Named(**_named(desk, name)) for name in prompts.names()]))


@router.get("/{name}", responses=errors(404))
async def read_prompts(desk: Reader, name: PathId, at: At = None) -> Shown:
    """A version: its files, what its templates say about themselves, its samples, and the moves of labels."""

    def read() -> Shown:
        pack = desk.prompts.pack(name, at)
        return Shown(
            **{**_named(desk, name), "version": pack.version},
            languages=list(pack.languages),
            files=dict(pack.sources),
            templates={script.file: script.front for _, _, script in pack.scripts()},
            samples=sample_names(pack),
            moves=desk.prompts.moves(name),
        )

    return await desk.read(read)


@router.get("/{name}/versions", responses=errors(404))
async def list_versions(desk: Reader, name: PathId) -> Versions:
    """Every version, with the labels that stand at it."""
    return Versions(versions=[Version(**one) for one in await desk.read(desk.prompts.versions, name)])


@router.post("/{name}/versions", status_code=201, responses=errors(404))
async def keep_version(desk: Admin, service: TheService, name: PathId, asked: AtBody) -> Kept:
    """Keep a version for ever: the one at `at`, changed by `files`. It answers once a label is moved to it."""

    def keep() -> Kept:
        pack = desk.prompts.draft(name, asked.at, asked.files)
        desk.prompts.keep(pack)
        return Kept(version=pack.version, findings=desk.prompts.lint(pack, service.engine))

    return await in_turn(service, desk, keep)


@router.post("/{name}/render", responses=errors(404))
async def render_sample(desk: Reader, service: TheService, name: PathId, asked: RenderBody) -> RenderedBody:
    """The messages that a sample makes, their tokens, and what the budget cut."""

    def render(pack: Pack) -> RenderedBody:
        found = desk.prompts.render(pack, asked.task, asked.sample, asked.language, service.engine)
        return RenderedBody(version=pack.version, rendered=found, fits=found.fits, cut=found.shortened())

    return await _of_draft(service, desk, name, asked, render)


@router.post("/{name}/lint", responses=errors(404))
async def lint_prompts(desk: Reader, service: TheService, name: PathId, asked: AtBody) -> Findings:
    """What is wrong with a version, before anybody is asked."""

    def look(pack: Pack) -> Findings:
        return Findings(version=pack.version, findings=desk.prompts.lint(pack, service.engine))

    return await _of_draft(service, desk, name, asked, look)


@router.post("/{name}/test", responses=errors(404))
async def run_tests(desk: Reader, service: TheService, name: PathId, asked: AtBody) -> Outcomes:
    """Run the tests that stand in the templates, on what they render."""

    def test(pack: Pack) -> Outcomes:
        found = desk.prompts.test(pack, service.engine)
        return Outcomes(version=pack.version, passed=all(one.passed for one in found), tests=found)

    return await _of_draft(service, desk, name, asked, test)


@router.get("/{name}/labels/{label}", responses=errors(404))
async def read_label(desk: Reader, response: Response, name: PathId, label: Label) -> Stand:
    """Where a label stands; its ETag is what a move has to name in If-Match."""
    await desk.read(desk.prompts.pack, name)
    return _stand(response, label, await _where(desk, name, label))


@router.put("/{name}/labels/{label}", responses=errors(404, 412, 428))
async def move_label(
    desk: Admin,
    service: TheService,
    response: Response,
    name: PathId,
    label: Label,
    asked: LabelBody,
    if_match: IfMatch = None,
) -> Stand:
    """Put a label on a version in which lint and tests find nothing; with `production` it answers from now on."""
    expected = await _expected(desk, name, label, if_match)

    def move() -> str:
        pack = desk.prompts.pack(name, asked.version)
        desk.prompts.promote(pack, label, service.engine, expected)
        return pack.version

    return await _moved(desk, service, response, label, move)


@router.post("/{name}/labels/{label}/rollback", responses=errors(404, 412, 428))
async def take_back(
    desk: Admin, service: TheService, response: Response, name: PathId, label: Label, if_match: IfMatch = None
) -> Stand:
    """Put a label back to the version at which it stood before."""
    expected = await _expected(desk, name, label, if_match)
    return await _moved(desk, service, response, label, lambda: desk.prompts.rollback(name, label, expected))


async def _of_draft(service: Service, desk: Desk, name: str, asked: AtBody, work: Callable[[Pack], _T]) -> _T:
    return await in_turn(service, desk, lambda: work(desk.prompts.draft(name, asked.at, asked.files)))


async def _where(desk: Desk, name: str, label: Label) -> str | None:
    return (await desk.read(desk.prompts.labels, name)).get(label)


async def _expected(desk: Desk, name: str, label: Label, if_match: str | None) -> str | None:
    """Where the mover saw the label, if it still stands there."""
    stands = await _where(desk, name, label)
    if if_match is None:
        raise PreconditionRequired(f"say in If-Match where you saw the label {label!r}: {_etag(stands)}")
    if if_match != _etag(stands):
        raise PreconditionFailed(f"the label {label!r} stands at {_etag(stands)}, not at {if_match}: look again")
    return stands


async def _moved(desk: Desk, service: Service, response: Response, label: Label, move: Callable[[], str]) -> Stand:
    try:
        version = await in_turn(service, desk, move)
    except Conflict as error:
        raise PreconditionFailed(str(error)) from error
    await desk.after_write()
    return _stand(response, label, version)


def _stand(response: Response, label: Label, version: str | None) -> Stand:
    response.headers["ETag"] = _etag(version)
    return Stand(label=label, version=version)


def _etag(version: str | None) -> str:
    return f'"{version or _NOWHERE}"'


def _named(desk: Desk, name: str) -> dict[str, Any]:
    prompts = desk.prompts
    version = prompts.pack(name).version
    return {"name": name, "served": name == prompts.served, "version": version, "labels": prompts.labels(name)}
