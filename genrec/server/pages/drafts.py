"""What stands in the editor of prompts, and what is found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pydantic import Field

from genrec.authoring.differences import Difference
from genrec.authoring.findings import Finding
from genrec.authoring.rendering import Rendered
from genrec.authoring.samples import WORST, sample_names
from genrec.engine import Engine
from genrec.errors import PromptError
from genrec.prompting import Pack, PackError, RenderError, Task
from genrec.server.bodies import MOST_FILES
from genrec.server.fields import Body, Id, Text, parsed
from genrec.server.prompts import Prompts
from genrec.wording import Language

_FILE = "file/"
"""Before the name of a file in a field's name."""


class Draft(Body):
    """A version in the editor: the one at which it began, `seen`, the newest one then, and the text of every file."""

    name: Id
    at: Id
    seen: Id
    task: Task = "rank"
    sample: Id = WORST
    language: Language = "en"
    files: dict[Id, Text] = Field(default_factory=dict, max_length=MOST_FILES)

    def changed(self, base: Pack) -> dict[str, str]:
        """The files that are not as they were."""
        return {file: text for file, text in self.files.items() if text != _lines(base.sources.get(file, ""))}


@dataclass(frozen=True)
class Tried:
    """What a sample makes of a draft, or why it makes nothing; `difference` is to the version that answers."""

    rendered: Rendered | None
    faults: Sequence[Finding]
    difference: Difference | None


@dataclass(frozen=True)
class Theirs:
    """A version that somebody kept meanwhile, and the files in which it is not what the editor began with."""

    version: str
    files: Mapping[str, str]


async def _drafted(request: Request) -> Draft:
    fields = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    files = {name.removeprefix(_FILE): _lines(text) for name, text in fields.items() if name.startswith(_FILE)}
    rest = {name: value for name, value in fields.items() if not name.startswith(_FILE)}
    return parsed(Draft, {**rest, "files": files})


Drafted = Annotated[Draft, Depends(_drafted)]


def first_sample(pack: Pack, task: Task) -> str:
    """The sample that is shown where nobody chose one."""
    return next(iter(pack.front(task).samples or sample_names(pack)), WORST)


def pack_of(prompts: Prompts, draft: Draft) -> Pack:
    """The draft as a pack. Raises PromptError where it cannot be one, NotFound."""
    return prompts.draft(draft.name, draft.at, draft.changed(prompts.pack(draft.name, draft.at)))


def tried(prompts: Prompts, draft: Draft, engine: Engine) -> Tried:
    """Render the sample. Raises NotFound; what is wrong with the draft is part of the answer."""
    try:
        pack = pack_of(prompts, draft)
        rendered = prompts.render(pack, draft.task, draft.sample, draft.language, engine)
    except PromptError as error:
        return Tried(None, faults(error), None)
    answering = prompts.pack(draft.name)
    found = prompts.differences(answering, pack, engine, only=draft.task, sample=draft.sample)
    return Tried(rendered, (), next((one for one in found if one.language == draft.language), None))


def faults(error: PromptError) -> list[Finding]:
    """What keeps prompts from being used, by file and line where that is known."""
    if isinstance(error, PackError):
        return [Finding("error", fault.file, fault.cause, fault.line) for fault in error.faults]
    if isinstance(error, RenderError):
        return [Finding("error", error.file, error.cause, error.line, error.sample)]
    return [Finding("error", "", str(error))]


def theirs(prompts: Prompts, draft: Draft) -> Theirs:
    """What somebody kept meanwhile."""
    base, newest = prompts.pack(draft.name, draft.at), prompts.pack(draft.name, prompts.newest(draft.name))
    other = {file: text for file, text in newest.sources.items() if text != base.sources.get(file)}
    return Theirs(newest.version, other)


def _lines(text: str) -> str:
    """A text with the line ends that files have, and not those that forms have."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
