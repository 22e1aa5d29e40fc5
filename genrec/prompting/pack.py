"""A pack is a folder of templates for one domain: `rank.j2`, `explain.j2`, `list.j2`, their partials and variants.

A template has YAML front matter (`front.py`) and two Jinja blocks, `system` and `user`. A third one, `answer`, may
begin the answer for the model, which then only continues it. `rank.zh.j2` stands for `rank.j2` where Chinese is asked
for, `_user.zh.j2` for `_user.j2`, also where that is included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes

from genrec.errors import PromptError
from genrec.prompting.front import TASKS, FrontMatter, Task, split
from genrec.prompting.sandbox import Sandbox, fuelled, localised, parse
from genrec.wording import Language

DEFAULT: Language = "en"
ROLES = {"system": "system", "user": "user", "answer": "assistant"}
"""Blocks, and who says them."""
_FAILURES = (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, KeyError)

UNRENDERED = "does not render: "
"""Begins the cause of a RenderError."""

Messages = list[dict[str, str]]
"""Chat messages: `role` (system, user, or assistant for the beginning of an answer) and `content`."""


class TemplateError(PromptError):
    """A template that cannot be used: `cause`, and the `file` and `line` where, which may be those of a partial."""

    def __init__(self, folder: Path, file: str, line: int | None, cause: str) -> None:
        super().__init__(f"{folder / file}{f', line {line}' if line else ''}: {cause}")
        self.folder, self.file, self.line, self.cause = folder, file, line, cause


class RenderError(TemplateError):
    """A template failed on a request, which may be a sample of a pack."""

    def __init__(self, folder: Path, file: str, line: int | None, cause: str, sample: str | None = None) -> None:
        super().__init__(folder, file, line, f"{cause} (sample {sample})" if sample else cause)
        self.cause, self.sample = cause, sample


class PackError(PromptError):
    """Templates that cannot be used: every one of their `faults`; the message has the first."""

    def __init__(self, faults: Sequence[TemplateError]) -> None:
        others = f" (and {len(faults) - 1} more: see genrec prompt lint)" if faults[1:] else ""
        super().__init__(f"{faults[0]}{others}")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Script:
    """One compiled template, and what it says about itself. `file` is where both stand."""

    file: str
    front: FrontMatter
    template: jinja2.Template


@dataclass(frozen=True)
class Pack:
    """Compiled templates of one domain. `version` is the hash of everything that can change a prompt."""

    name: str
    version: str
    folder: Path
    """Where its samples, its demo data and its versions are."""
    home: Path
    """Where its templates are: in `folder`, or below that for a kept version."""
    sources: Mapping[str, str]
    """The text of every template by its file's name."""
    languages: tuple[Language, ...]
    _scripts: Mapping[tuple[Task, Language], Script]
    _sandboxes: Mapping[Language, Sandbox]

    def script(self, task: Task, language: Language = DEFAULT) -> Script:
        """The template of a task in a language, or the English one where there is none."""
        return self._scripts.get((task, language)) or self._scripts[task, DEFAULT]

    def scripts(self) -> Iterator[tuple[Task, Language, Script]]:
        """Every template of its own; a language without a variant has none."""
        for language in self.languages:
            for task in TASKS:
                script = self.script(task, language)
                if language == DEFAULT or script.file != self.script(task).file:
                    yield task, language, script

    def front(self, task: Task, language: Language = DEFAULT) -> FrontMatter:
        """What the template of a task says about itself."""
        return self.script(task, language).front

    def tree(self, file: str, language: Language = DEFAULT) -> nodes.Template:
        """The syntax of a template or a partial, as it is found in a language; without its front matter."""
        found = localised(file, language, self.sources) or file
        body, _ = split(self.sources[found])
        return parse(self._sandboxes[DEFAULT], body, found)

    def system(self, task: Task, data: Mapping[str, Any], language: Language = DEFAULT) -> str:
        """The system text of a task alone. Raises PromptError as `render`."""
        return self._block(self.script(task, language), "system", data)

    def render(self, task: Task, data: Mapping[str, Any], language: Language = DEFAULT) -> Messages:
        """The messages of a task: system, user, and assistant where the template begins the answer.

        The template gets the inputs that it declares, and of the user the fields that it may show.

        Raises:
            PromptError: the template uses something that is not there or not allowed, or costs too much.
        """
        script = self.script(task, language)
        return [
            {"role": role, "content": self._block(script, block, data)}
            for block, role in ROLES.items()
            if block in script.template.blocks
        ]

    def _block(self, script: Script, block: str, data: Mapping[str, Any]) -> str:
        context = script.template.new_context(_seen(script.front, data))
        written = []
        try:
            with fuelled() as fuel:
                for text in script.template.blocks[block](context):
                    fuel.spend(len(text))
                    written.append(text)
        except _FAILURES as error:
            raise RenderError(self.home, *_place(error, script.file), f"{UNRENDERED}{_cause(error)}") from error
        return "".join(written).strip()


def _seen(front: FrontMatter, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a template sees: what it declares."""
    seen: dict[str, Any] = {name: data[name] for name in front.inputs if name in data}
    if "user" in seen:
        attributes = seen["user"]["attributes"]
        seen["user"] = {"attributes": {name: attributes[name] for name in front.user_fields if name in attributes}}
    return seen


def _place(error: BaseException, file: str) -> tuple[str, int]:
    """The template and the line that failed; of partials inside each other the innermost."""
    place, trace = (file, 1), error.__traceback__
    while trace:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, jinja2.Template):
            place = (template.name or file, template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return place


def _cause(error: Exception) -> str:
    """What went wrong, in words of templates."""
    said = one_line(error)
    if isinstance(error, TypeError) and "not supported between instances" in said:
        return "it compares a text with a number, or with nothing: ask first, as in {% if x is number and x > 500 %}"
    return said


def one_line(error: Exception) -> str:
    """What an error says, without its line ends."""
    return " ".join((getattr(error, "message", None) or str(error)).split())
