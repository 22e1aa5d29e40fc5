"""What a template says about itself: YAML between two `---` lines. Strict: an unknown key is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from genrec.errors import PromptError

Task = Literal["rank", "explain", "list"]
TASKS: tuple[Task, ...] = get_args(Task)
Output = Literal["label", "sentence", "list"]
OUTPUTS: Mapping[Task, Output] = {"rank": "label", "explain": "sentence", "list": "list"}
"""What the answer to each task is."""
Input = Literal[
    "user", "history", "context", "instruction", "candidates", "n", "language", "item", "evidence", "opening"
]
Part = Literal["descriptions", "history"]
"""What may be shortened where a prompt is too long. Candidates are never left out."""
DROP: tuple[Part, ...] = ("descriptions", "history")

_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)
_LONGEST = 16_000
_DEEPEST = 20
_NUMBER = 1_000_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Strict):
    """How the answer is generated. For `list`, `max_tokens` is for each item."""

    max_tokens: int = Field(ge=1, le=4096)
    temperature: float = Field(default=0.0, ge=0, le=2)


class Budget(_Strict):
    """How many tokens a prompt may take, None for as many as the model does, and what is shortened first."""

    tokens: int | None = Field(default=None, ge=50, le=_NUMBER)
    drop: tuple[Part, ...] = DROP


class Answer(_Strict):
    """What a real answer must be like: `contains` and `lacks` texts, no longer than `longest` characters."""

    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    longest: int | None = Field(default=None, ge=1, le=_NUMBER)


class Case(_Strict):
    """One test: the messages that a sample makes hold some texts, do not hold others, and are short enough.

    `answer` is for tests with a language model; that its answer follows the output contract is always tested then.
    """

    sample: str = Field(min_length=1)
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    tokens: int | None = Field(default=None, ge=1, le=_NUMBER)
    answer: Answer | None = None


class FrontMatter(_Strict):
    """What a template says about itself.

    `inputs` are the variables that it uses: it gets no others. `user_fields` are the attributes of the user that it may
    show: it sees no others. `samples` are requests that it is linted and tested with, `tests` what must hold then.
    """

    name: str = ""
    description: str = Field(min_length=1)
    inputs: tuple[Input, ...] = Field(min_length=1)
    output: Output
    sampling: Sampling
    budget: Budget = Budget()
    user_fields: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    tests: tuple[Case, ...] = ()


def split(where: str, source: str) -> tuple[str, object]:
    """A template without its front matter, its line numbers kept, and what the front matter says.

    Raises:
        PromptError: it is not YAML.
    """
    found = _FRONT_MATTER.match(source)
    if not found:
        if source.startswith("---\n"):
            raise PromptError(f"{where}: the front matter does not end: put a line --- behind it")
        return source, {}
    comment = "{#" + "\n" * found.group(0).count("\n") + "-#}"
    return comment + source[found.end() :], read_yaml(where, "\n" + found.group(1))  # line numbers as in the file


def checked(where: str, task: Task, said: object) -> FrontMatter:
    """The front matter of a task's template.

    Raises:
        PromptError: a key is missing, unknown or wrong; the nearest valid one is named.
    """
    if not said:
        raise PromptError(f"{where}: no front matter: begin with ---, what docs/prompts.md lists, and ---")
    try:
        front = FrontMatter.model_validate(said)
    except ValidationError as error:
        raise PromptError(f"{where}: {problem(error, FrontMatter)}") from error
    if front.output != OUTPUTS[task]:
        raise PromptError(f"{where}: output: {front.output!r}: the answer to {task}.j2 is {OUTPUTS[task]!r}")
    return front


def read_yaml(where: str, text: str) -> object:
    """Plain YAML: no tags, no aliases, no key twice. Raises PromptError."""
    if len(text) > _LONGEST:
        raise PromptError(f"{where}: more than {_LONGEST} characters of YAML")
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader, and stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise PromptError(f"{where}{line}: not YAML as it is read here: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:  # the last three from tags such as !!bool
        raise PromptError(f"{where}: not YAML as it is read here: {' '.join(str(error).split())}") from error


def problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, on one line, with the nearest valid key for one that is unknown."""
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])  # a slip also makes one missing
    *outer, last = first["loc"] or ("front matter",)
    path = ".".join(map(str, first["loc"])) or "front matter"
    if first["type"] != "extra_forbidden":
        return f"{path}: {_in_words(first)}"
    known = list(_model_at(model, [part for part in outer if isinstance(part, str)]).model_fields)
    near = get_close_matches(str(last), known, 1, 0.5)
    return f"{path}: no such key" + (f": did you mean {near[0]!r}?" if near else f": known are {', '.join(known)}")


def _in_words(problem: ErrorDetails) -> str:
    """What is wrong with one value, and what it should be."""
    bounds = problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return "is not there, and has to be"
        case "too_short":
            return f"holds {bounds['actual_length']}, which has to be {bounds['min_length']} or more"
        case "too_long":
            return f"holds more than {bounds['max_length']}"
        case "string_too_short":
            return "is empty"
        case "tuple_type":
            return f"is {problem['input']!r}: write a list, as in [one, two]"
        case "model_type" | "model_attributes_type":
            return f"is {problem['input']!r}: write keys and values, as in key: value"
        case "string_type":
            return f"is {problem['input']!r}, which YAML takes for no text: put it in quotes"
        case _:
            return f"is {problem['input']!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _model_at(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The model of a nested key."""
    for name in path:
        annotation = model.model_fields[name].annotation
        inner = [annotation, *get_args(annotation)]
        model = next(one for one in inner if isinstance(one, type) and issubclass(one, BaseModel))
    return model


class _Loader(yaml.SafeLoader):
    """Without aliases, by which a small file becomes a huge one, and without keys that stand twice."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "no aliases")
        if self._depth > _DEEPEST:
            raise yaml.constructor.ConstructorError(None, None, f"parts inside each other more than {_DEEPEST} deep")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)
