"""A pack is a folder of templates for one domain: `rank.j2`, `explain.j2`, `list.j2` and their partials.

A template has YAML front matter between `---` lines and two Jinja blocks, `system` and `user`. A third one,
`answer`, may begin the answer for the model, which then only continues it:

    ---
    description: Choose the best label
    max_tokens: 1
    ---
    {% block system %}...{% endblock %}
    {% block user %}...{% endblock %}
    {% block answer %}...{% endblock %}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genrec.errors import PromptError

Task = Literal["rank", "explain", "list"]
TASKS: tuple[Task, ...] = ("rank", "explain", "list")
_FILTERS = ("capitalize", "default", "first", "join", "last", "length", "lower", "replace", "round", "trim")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)

_ROLES = {"system": "system", "user": "user", "answer": "assistant"}

Messages = list[dict[str, str]]
"""Chat messages: `role` (system, user, or assistant for the beginning of an answer) and `content`."""


class FrontMatter(BaseModel):
    """What a template says about itself. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1)
    max_tokens: int = Field(ge=1, le=4096)
    temperature: float = Field(default=0.0, ge=0, le=2)


@dataclass(frozen=True)
class Pack:
    """Compiled templates of one domain. `version` is the hash of everything that can change a prompt."""

    name: str
    version: str
    settings: Mapping[Task, FrontMatter]
    _templates: Mapping[Task, jinja2.Template]

    def system(self, task: Task, data: Mapping[str, Any]) -> str:
        """The system text of a task alone. Raises PromptError as `render`."""
        return self._block(task, "system", data)

    def render(self, task: Task, data: Mapping[str, Any]) -> Messages:
        """The messages of a task: system, user, and assistant where the template begins the answer.

        Raises:
            PromptError: the template uses something that is not there or not allowed.
        """
        blocks = self._templates[task].blocks
        return [
            {"role": role, "content": self._block(task, block, data)}
            for block, role in _ROLES.items()
            if block in blocks
        ]

    def _block(self, task: Task, block: str, data: Mapping[str, Any]) -> str:
        template = self._templates[task]
        try:
            return "".join(template.blocks[block](template.new_context(dict(data)))).strip()
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise PromptError(f"prompts/{self.name}/{task}.j2 does not render: {_one_line(error)}") from error


def pack_folder() -> Path:
    """Where the packs that ship with genrec are: beside the source, or inside an installed package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def pack_names() -> list[str]:
    """The packs that ship with genrec."""
    return sorted(path.parent.name for path in pack_folder().glob("*/rank.j2"))


def load_pack(name_or_path: str | Path) -> Pack:
    """A pack by its name (one that ships with genrec) or by its folder.

    Raises:
        PromptError: no such pack, a missing or broken template; the message names file and line.
    """
    folder = Path(name_or_path)
    if not folder.is_dir():
        folder = pack_folder() / str(name_or_path)
    if not folder.is_dir() or folder.parent == folder:
        raise PromptError(
            f"no prompt pack {str(name_or_path)!r}: give the path of a folder, or one of {', '.join(pack_names())}"
        )
    sources = {path.name: _read(path) for path in sorted(folder.glob("*.j2"))}
    bodies, settings = {}, {}
    for file, source in sources.items():
        bodies[file], settings[file] = _split(folder.name, file, source)
    environment = _environment(bodies)
    templates = {task: _compile(environment, folder, f"{task}.j2") for task in TASKS}
    front = {task: _checked(folder.name, f"{task}.j2", settings[f"{task}.j2"]) for task in TASKS}
    digest = hashlib.sha256("\0".join(f"{file}\0{source}" for file, source in sources.items()).encode())
    return Pack(folder.name, digest.hexdigest()[:12], front, templates)


def _environment(bodies: Mapping[str, str]) -> jinja2.Environment:
    """No globals, a few filters, and an error for everything that is not there."""
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.DictLoader(bodies),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the output is a prompt, not a page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


def _compile(environment: jinja2.Environment, folder: Path, file: str) -> jinja2.Template:
    try:
        template = environment.get_template(file)
    except jinja2.TemplateSyntaxError as error:
        where = f"{folder.name}/{error.name}, line {error.lineno}"
        raise PromptError(f"prompts/{where}: does not compile: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        raise PromptError(f"{folder} has no {file}: a pack needs rank.j2, explain.j2 and list.j2") from error
    for role in ("system", "user"):
        if role not in template.blocks:
            raise PromptError(f"prompts/{folder.name}/{file}: no {{% block {role} %}}: a template needs one")
    return template


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: not UTF-8: save the file as UTF-8") from error


def _split(pack: str, file: str, source: str) -> tuple[str, object]:
    """The template without its front matter (its line numbers kept), and what the front matter says."""
    found = _FRONT_MATTER.match(source)
    if not found:
        return source, {}
    try:
        settings = yaml.safe_load(found.group(1)) or {}
    except yaml.YAMLError as error:
        raise PromptError(f"prompts/{pack}/{file}: the front matter is not YAML: {_one_line(error)}") from error
    comment = "{#" + "\n" * found.group(0).count("\n") + "-#}"
    return comment + source[found.end() :], settings


def _checked(pack: str, file: str, settings: object) -> FrontMatter:
    try:
        return FrontMatter.model_validate(settings)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"])) or "front matter"
        known = ", ".join(FrontMatter.model_fields)
        raise PromptError(f"prompts/{pack}/{file}: {key}: {problem['msg']} (known keys: {known})") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
