"""Texts of templates → a pack, or all that keeps it from being one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import jinja2

from genrec.errors import PromptError
from genrec.prompting.front import TASKS, Task, read_front, split
from genrec.prompting.pack import DEFAULT, Pack, PackError, Script, TemplateError, one_line
from genrec.prompting.sandbox import Sandbox, localised, parse, partials
from genrec.wording import Language

_FILE = re.compile(r"(?P<name>_?[a-z][a-z0-9_]*)(\.(?P<language>[a-z]{2}))?\.j2")


def make_pack(texts: Mapping[str, str], name: str, home: Path, folder: Path) -> Pack:
    """Compile templates, given by the names of their files. `home` stands before these in messages.

    Raises:
        PromptError: a missing template. PackError: broken ones, all of them.
    """
    sources = dict(sorted(texts.items()))
    if absent := [f"{task}.j2" for task in TASKS if f"{task}.j2" not in sources]:
        raise PromptError(f"{home} has no {absent[0]}: a pack needs rank.j2, explain.j2 and list.j2")
    maker = _Maker(home, sources)
    languages = maker.languages()
    scripts: dict[tuple[Task, Language], Script] = {}
    sandboxes = {language: Sandbox(maker.bodies, language) for language in languages}
    for language, sandbox in sandboxes.items():
        for task in TASKS:
            if script := maker.script(task, language, sandbox):
                scripts[task, language] = script
    if maker.faults:
        raise PackError(list({str(fault): fault for fault in maker.faults}.values()))  # many may include one
    digest = hashlib.sha256("\0".join(f"{file}\0{source}" for file, source in sources.items()).encode())
    return Pack(name, digest.hexdigest()[:12], folder, home, sources, languages, scripts, sandboxes)


class _Maker:
    """Reads and compiles the templates of a pack, and keeps all that is wrong with them."""

    def __init__(self, home: Path, sources: Mapping[str, str]) -> None:
        self._home, self._sources = home, sources
        self.bodies = {file: split(source)[0] for file, source in sources.items()}
        self.faults: list[TemplateError] = []

    def languages(self) -> tuple[Language, ...]:
        """English, and the languages that there are variants for."""
        others: tuple[Language, ...] = tuple(language for language in get_args(Language) if language != DEFAULT)
        found: set[str] = set()
        for file in self._sources:
            match = _FILE.fullmatch(file)
            if not match:
                self._fault(file, None, "a template is called rank.j2, _part.j2 or rank.zh.j2")
            elif (language := match["language"]) and language not in others:
                self._fault(file, None, f"it is for the language {language!r}: variants are for {', '.join(others)}")
            elif language:
                found.add(language)
        return (DEFAULT, *(language for language in others if language in found))

    def script(self, task: Task, language: Language, sandbox: Sandbox) -> Script | None:
        """One template, where nothing is wrong with it."""
        file = localised(f"{task}.j2", language, self._sources) or f"{task}.j2"
        front, wrong = read_front(task, self._sources[file])
        for fault in wrong:
            self._fault(file, fault.line, fault.problem)
        try:
            template = _with_partials(sandbox, file, language, self.bodies, (), set())
        except jinja2.TemplateSyntaxError as error:
            self._fault(error.name or file, error.lineno, f"does not compile: {one_line(error)}")
            return None
        for role in ("system", "user"):
            if role not in template.blocks:
                self._fault(file, None, f"no {{% block {role} %}}: a template needs one")
        return Script(file, front, template) if front else None

    def _fault(self, file: str, line: int | None, cause: str) -> None:
        self.faults.append(TemplateError(self._home, file, line, cause))


def _with_partials(
    sandbox: Sandbox, file: str, language: Language, bodies: Mapping[str, str], above: tuple[str, ...], done: set[str]
) -> jinja2.Template:
    """Compile a template and those that it includes, each once. Raises TemplateSyntaxError."""
    template = sandbox.get_template(file)
    for partial, line in partials(parse(sandbox, bodies[file], file)).items():
        inner = localised(partial, language, bodies)
        if inner is None:
            near = get_close_matches(partial, [name for name in bodies if name.startswith("_")], 1)
            meant = f": did you mean {near[0]!r}?" if near else ""
            raise jinja2.TemplateSyntaxError(f"includes {partial!r}, which is not there{meant}", line, file, file)
        if inner in (*above, file):
            raise jinja2.TemplateSyntaxError(f"includes itself through {partial}", line, file, file)
        if inner not in done:
            _with_partials(sandbox, inner, language, bodies, (*above, file), done)
            done.add(inner)
    return template
