"""A pack is a folder of templates for one domain: `rank.j2`, `explain.j2`, `list.j2`, their partials and variants.

A template has YAML front matter (`front.py`) and two Jinja blocks, `system` and `user`. A third one, `answer`, may
begin the answer for the model, which then only continues it. `rank.zh.j2` stands for `rank.j2` where Chinese is asked
for, `_user.zh.j2` for `_user.j2`, also where that is included.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import jinja2
from jinja2 import nodes

from genrec.errors import PromptError
from genrec.prompting.front import TASKS, FrontMatter, Task, checked, split
from genrec.prompting.sandbox import Sandbox, fuelled, localised, parse, partials
from genrec.wording import Language

DEFAULT: Language = "en"
ROLES = {"system": "system", "user": "user", "answer": "assistant"}
"""Blocks, and who says them."""
_FILE = re.compile(r"(?P<name>_?[a-z][a-z0-9_]*)(\.(?P<language>[a-z]{2}))?\.j2")
_FAILURES = (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, KeyError)

Messages = list[dict[str, str]]
"""Chat messages: `role` (system, user, or assistant for the beginning of an answer) and `content`."""


class RenderError(PromptError):
    """A template failed on a request: `cause`, and the `file` and `line` where, which may be those of a partial."""

    def __init__(self, folder: Path, file: str, line: int, cause: str) -> None:
        super().__init__(f"{folder / file}, line {line}: does not render: {cause}")
        self.file, self.line, self.cause = file, line, cause


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
        body, _ = split(found, self.sources[found])
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
            raise RenderError(self.home, *_place(error, script.file), _cause(error)) from error
        return "".join(written).strip()


def _seen(front: FrontMatter, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a template sees: what it declares."""
    seen: dict[str, Any] = {name: data[name] for name in front.inputs if name in data}
    if "user" in seen:
        attributes = seen["user"]["attributes"]
        seen["user"] = {"attributes": {name: attributes[name] for name in front.user_fields if name in attributes}}
    return seen


def pack_folder() -> Path:
    """Where the packs that ship with genrec are: beside the source, or inside an installed package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def pack_names() -> list[str]:
    """The packs that ship with genrec."""
    return sorted(path.parent.name for path in pack_folder().glob("*/rank.j2"))


def find_pack(name_or_path: str | Path) -> Path:
    """The folder of a pack by its name (one that ships with genrec) or its path.

    Raises:
        PromptError: there is none, or both a folder here and a pack that ships have this name.
    """
    name, folder = str(name_or_path), Path(name_or_path)
    if name in pack_names():
        if _holds_templates(folder):
            raise PromptError(f"{name!r} ships with genrec and is a folder here too: say ./{name} for the folder")
        return pack_folder() / name
    if folder.is_dir() and folder.parent != folder:
        return folder
    here = [str(path.parent) for path in Path().glob("*/rank.j2")]
    near = get_close_matches(name, [*pack_names(), *here], 1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise PromptError(f"no prompt pack {name!r}: {meant}give the path of a folder, or one of {', '.join(pack_names())}")


def _holds_templates(folder: Path) -> bool:
    return next(folder.glob("*.j2"), None) is not None and folder.resolve().parent != pack_folder().resolve()


def read_pack(home: Path, name: str, folder: Path | None = None) -> Pack:
    """The templates at home in a folder, under a name. `folder`: where its samples and versions are, if not there.

    Raises:
        PromptError: a missing or broken template; the message names file and line.
    """
    return make_pack({path.name: read_text(path) for path in home.glob("*.j2")}, name, home, folder or home)


def make_pack(texts: Mapping[str, str], name: str, home: Path, folder: Path) -> Pack:
    """Compile templates, given by the names of their files. `home` stands before these in messages.

    Raises:
        PromptError: a missing or broken template.
    """
    sources = dict(sorted(texts.items()))
    bodies: dict[str, str] = {}
    said: dict[str, object] = {}
    for file, source in sources.items():
        if not _FILE.fullmatch(file):
            raise PromptError(f"{home / file}: a template is called rank.j2, _part.j2 or rank.zh.j2")
        bodies[file], said[file] = split(f"{home / file}", source)
    languages = _languages(sources)
    scripts: dict[tuple[Task, Language], Script] = {}
    sandboxes = {language: Sandbox(bodies, language) for language in languages}
    for language, sandbox in sandboxes.items():
        for task in TASKS:
            if not (found := localised(f"{task}.j2", language, sources)):
                raise PromptError(f"{home} has no {task}.j2: a pack needs rank.j2, explain.j2 and list.j2")
            front = checked(f"{home / found}", task, said[found])
            template = _compile(sandbox, home, found, language, bodies)
            scripts[task, language] = Script(found, front, template)
    digest = hashlib.sha256("\0".join(f"{file}\0{source}" for file, source in sources.items()).encode())
    return Pack(name, digest.hexdigest()[:12], folder, home, sources, languages, scripts, sandboxes)


def _languages(files: Mapping[str, str]) -> tuple[Language, ...]:
    """English, and the languages that there are variants for."""
    found = {match["language"] for file in files if (match := _FILE.fullmatch(file)) and match["language"]}
    others: tuple[Language, ...] = tuple(language for language in get_args(Language) if language != DEFAULT)
    if unknown := sorted(found - set(others)):
        raise PromptError(f"a template for the language {unknown[0]!r}: variants are for {', '.join(others)}")
    return (DEFAULT, *(language for language in others if language in found))


def _compile(sandbox: Sandbox, home: Path, file: str, language: Language, bodies: Mapping[str, str]) -> jinja2.Template:
    """A template, and for its errors' sake also the partials that it includes."""
    try:
        template = _with_partials(sandbox, file, language, bodies, (), set())
    except jinja2.TemplateSyntaxError as error:
        where = f"{home / (error.name or file)}, line {error.lineno}"
        raise PromptError(f"{where}: does not compile: {_one_line(error)}") from error
    except jinja2.TemplateNotFound as error:
        raise PromptError(f"{home / file}: includes {error.name!r}, which is not there") from error
    for role in ("system", "user"):
        if role not in template.blocks:
            raise PromptError(f"{home / file}: no {{% block {role} %}}: a template needs one")
    return template


def _with_partials(
    sandbox: Sandbox, file: str, language: Language, bodies: Mapping[str, str], above: tuple[str, ...], done: set[str]
) -> jinja2.Template:
    """Compile a template and those that it includes, each once. Raises TemplateSyntaxError for a circle."""
    template = sandbox.get_template(file)
    for partial in partials(parse(sandbox, bodies[file], file)):
        inner = localised(partial, language, bodies)
        if inner is None:
            raise jinja2.TemplateNotFound(partial)
        if inner in (*above, file):
            raise jinja2.TemplateSyntaxError(f"includes itself through {partial}", 1, file, file)
        if inner not in done:
            _with_partials(sandbox, inner, language, bodies, (*above, file), done)
            done.add(inner)
    return template


def _place(error: BaseException, file: str) -> tuple[str, int]:
    """The template and the line that failed; of partials inside each other the innermost."""
    place, trace = (file, 1), error.__traceback__
    while trace:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, jinja2.Template):
            place = (template.name or file, template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return place


def read_text(path: Path) -> str:
    """A file with the line ends of any system, and with or without the mark that Windows puts before UTF-8.

    Raises:
        PromptError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: not UTF-8: save the file as UTF-8") from error


def _cause(error: Exception) -> str:
    """What went wrong, in words of templates."""
    said = _one_line(error)
    if isinstance(error, TypeError) and "not supported between instances" in said:
        return "it compares a text with a number, or with nothing: ask first, as in {% if x is number and x > 500 %}"
    return said


def _one_line(error: Exception) -> str:
    return " ".join((getattr(error, "message", None) or str(error)).split())
