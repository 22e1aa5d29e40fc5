"""Prompts in an editor, beside what they make: tried out, kept as a version, promoted, taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, Response

from genrec.authoring.differences import fresh
from genrec.authoring.findings import Finding
from genrec.authoring.samples import WORST, sample_names
from genrec.errors import Conflict, PromptError
from genrec.prompting import DESCRIPTION, TASKS, Pack, Task
from genrec.prompting.versions import Label
from genrec.server.drafting import in_turn
from genrec.server.failures import PreconditionFailed
from genrec.server.fields import Id, Short
from genrec.server.pages.drafts import Draft, Drafted, faults, first_sample, pack_of, theirs, tried
from genrec.server.pages.rendering import html
from genrec.server.pages.routing import pages
from genrec.server.pages.visiting import Administering, Reading, Visit
from genrec.server.prompts import SERVED, Prompts
from genrec.wording import LANGUAGES, Language

_NOWHERE = ""
"""Where a label stands that was never put anywhere, as forms say it."""

router = pages("/prompts")


@dataclass(frozen=True)
class Studio:
    """All that the editor needs to know of a pack. `texts`: its files, or what an author has made of them."""

    pack: Pack
    answering: Pack
    newest: str
    labels: dict[str, str]
    texts: dict[str, str]
    samples: list[str]
    task: Task
    sample: str


@router.get("")
async def show(
    visit: Reading,
    name: Id | None = None,
    at: Id | None = None,
    file: Annotated[str, Query(max_length=200)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The editor at a label or version of a pack; what answers, where nothing is said."""
    prompts = visit.desk.prompts
    studio = await visit.desk.read(lambda: _studio(prompts, name or prompts.served, at))
    versions = await visit.desk.read(prompts.versions, studio.pack.name)
    names = await visit.desk.read(prompts.names)
    return visit.page(
        "studio.html.j2",
        **_editor(studio, file, visit.words.language),
        names=names,
        versions=versions[::-1],
        served=prompts.served,
        done=done,
    )


@router.post("/try")
async def try_out(visit: Reading, draft: Drafted) -> Response:
    """What the sample makes of what stands in the editor."""
    prompts, engine = visit.desk.prompts, visit.service.engine
    found = await in_turn(visit.service, visit.desk, lambda: tried(prompts, draft, engine))
    return html(visit.part("_tried.html.j2", tried=found, whole=DESCRIPTION))


@router.post("/lint")
async def lint(visit: Reading, draft: Drafted) -> Response:
    """What is wrong with what stands in the editor."""

    def look() -> list[Finding]:
        try:
            return visit.desk.prompts.lint(pack_of(visit.desk.prompts, draft), visit.service.engine)
        except PromptError as error:
            return faults(error)

    findings = await in_turn(visit.service, visit.desk, look)
    return html(visit.part("_findings.html.j2", findings=findings))


@router.post("/test")
async def test(visit: Reading, draft: Drafted) -> Response:
    """Run the tests that stand in the templates. Raises PromptError."""
    prompts, engine = visit.desk.prompts, visit.service.engine
    outcomes = await in_turn(visit.service, visit.desk, lambda: prompts.test(pack_of(prompts, draft), engine))
    return html(visit.part("_tests.html.j2", outcomes=outcomes))


@router.post("/versions")
async def keep(visit: Administering, draft: Drafted) -> Response:
    """Keep a version for ever, unless somebody kept one meanwhile: then theirs is shown. Raises PromptError."""
    prompts = visit.desk.prompts

    def work() -> str:
        pack = pack_of(prompts, draft)
        prompts.keep_next(pack, draft.seen)
        return pack.version

    try:
        version = await in_turn(visit.service, visit.desk, work)
    except Conflict:
        return await _stale(visit, draft)
    return _to(draft.name, version, "kept")


@router.post("/rebase")
async def rebase(visit: Administering, draft: Drafted) -> Response:
    """The editor at the newest version, with the author's own changes on top of it."""
    prompts = visit.desk.prompts

    def work() -> Studio:
        mine = draft.changed(prompts.pack(draft.name, draft.at))
        return _studio(prompts, draft.name, prompts.newest(draft.name), mine, draft)

    studio = await visit.desk.read(work)
    return html(visit.part("_editor.html.j2", **_editor(studio, "", draft.language)))


@router.get("/changes")
async def changes(visit: Reading, name: Id, a: Id, b: Id) -> Response:
    """What one version changes in the prompts that are sent, against another one."""
    prompts, engine = visit.desk.prompts, visit.service.engine

    def look() -> HTMLResponse:
        found = prompts.differences(prompts.pack(name, a), prompts.pack(name, b), engine)
        return html(visit.part("_changes.html.j2", differences=list(zip(found, fresh(found), strict=True))))

    return await in_turn(visit.service, visit.desk, look)


@router.post("/labels/{label}")
async def promote(
    visit: Administering,
    label: Label,
    name: Annotated[Id, Form()],
    version: Annotated[Id, Form()],
    expected: Annotated[Short, Form()] = _NOWHERE,
) -> Response:
    """Put a label on a version, if it stands where the page said."""
    prompts, engine = visit.desk.prompts, visit.service.engine
    await _move(visit, lambda: prompts.promote(prompts.pack(name, version), label, engine, expected or None))
    return _to(name, version, "promoted" if label == SERVED else "labelled")


@router.post("/labels/{label}/rollback")
async def take_back(
    visit: Administering, label: Label, name: Annotated[Id, Form()], expected: Annotated[Short, Form()]
) -> Response:
    """Put a label back to where it stood before."""
    await _move(visit, lambda: visit.desk.prompts.rollback(name, label, expected))
    return _to(name, label, "rolled_back")


async def _move(visit: Visit, move: Callable[[], object]) -> None:
    try:
        await in_turn(visit.service, visit.desk, move)
    except Conflict as error:
        raise PreconditionFailed(str(error)) from error
    await visit.desk.after_write()


async def _stale(visit: Visit, draft: Draft) -> Response:
    """What the author wrote stays where it is; what somebody else kept comes beside it."""
    other = await visit.desk.read(theirs, visit.desk.prompts, draft)
    return html(visit.part("_stale.html.j2", theirs=other, draft=draft), 412)


def _studio(
    prompts: Prompts, name: str, at: str | None, mine: Mapping[str, str] | None = None, draft: Draft | None = None
) -> Studio:
    pack = prompts.pack(name, at)
    task = draft.task if draft else TASKS[0]
    return Studio(
        pack,
        prompts.pack(name),
        prompts.newest(name),
        prompts.labels(name),
        {**pack.sources, **(mine or {})},
        [*sample_names(pack), WORST],
        task,
        draft.sample if draft else first_sample(pack, task),
    )


def _editor(studio: Studio, file: str, language: Language) -> dict[str, object]:
    """What the template of the editor takes; it begins with a file, or with the system text in a language."""
    wanted = (file, f"_system.{language}.j2", "_system.j2", *studio.texts)
    return {
        "studio": studio,
        "file": next(name for name in wanted if name in studio.texts),
        "tasks": TASKS,
        "languages": [language for language in LANGUAGES if language in studio.pack.languages],
    }


def _to(name: str, at: str, done: str) -> Response:
    """The editor at a version, which says what was done."""
    return Response(
        status_code=204,
        headers={"HX-Redirect": f"/pages/prompts?{urlencode({'name': name, 'at': at, 'done': done})}"},
    )
