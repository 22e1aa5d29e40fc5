"""YAML that people write, read strictly: an unknown key is a fault, and a fault has a line and says the cure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_M = TypeVar("_M", bound=BaseModel)
_Path = tuple[str | int, ...]

_LONGEST = 16_000
_DEEPEST = 20
_SHOWN = 80
_NOT_YAML = "not YAML as it is read here: "
_CURES = (
    (
        r"mapping values are not allowed",
        False,
        "put a text with a colon in quotes, or indent the line as its neighbours",
    ),
    (r"expected ',' or '[\]}]'", True, "the [ or { here does not end: close it"),
    (r"found character '\\t'", False, "indent with blanks, not with tabs"),
    (r"that cannot start any token", False, "put a text that begins with such a character in quotes"),
    (r"could not find expected ':'", True, "write keys and values, as in key: value"),
    (r"expected <block end>", False, "it is not indented as the lines before it"),
    (r"unexpected end of stream", True, "the quote here does not end"),
)
"""What PyYAML says, whether the fault begins where its context does, and what to do."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a file; `line` counts from 1, None where it is no line's fault."""

    line: int | None
    problem: str


def read_strictly(text: str, model: type[_M]) -> tuple[_M | None, list[Fault]]:
    """What a text says, or all that is wrong with it. No tags, no aliases, no key twice."""
    if len(text) > _LONGEST:
        return None, [Fault(None, f"more than {_LONGEST} characters of YAML")]
    try:
        node, said = _parsed(text)
    except yaml.MarkedYAMLError as error:
        return None, [_of_yaml(error)]
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:  # the last three from tags such as !!bool
        return None, [Fault(None, _NOT_YAML + " ".join(str(error).split()))]
    if said is None:
        return None, [Fault(None, f"it is empty: write {', '.join(_required(model))}")]
    try:
        return model.model_validate(said), []
    except ValidationError as error:
        return None, [Fault(_line(node, path), problem) for path, problem in _problems(error, model)]


def line_of(text: str, *path: str | int) -> int | None:
    """The line where a key or a place of a list stands in YAML that can be read."""
    return _line(yaml.compose(text, _Loader), path)


def _parsed(text: str) -> tuple[Any, object]:
    """The nodes of YAML, which know their lines, and what it says."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node else None
    finally:
        loader.dispose()


def _line(node: Any, path: Sequence[str | int]) -> int | None:
    """The line of the last part of a path that stands there."""
    line = None
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _of_yaml(error: yaml.MarkedYAMLError) -> Fault:
    said = error.problem or error.context or ""
    cure = next(((at_context, words) for shape, at_context, words in _CURES if re.search(shape, said)), None)
    mark = (error.context_mark if cure and cure[0] else None) or error.problem_mark or error.context_mark
    return Fault(mark.line + 1 if mark else None, _NOT_YAML + (cure[1] if cure else said))


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]


def _problems(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[_Path, str]]:
    """Where something is wrong, and what; a key that is missing because of a slip is wrong once."""
    found = error.errors(include_url=False)
    meant: set[_Path] = set()
    for one in found:
        if one["type"] == "extra_forbidden":
            *outer, last = one["loc"]
            known = list(_model_at(model, [part for part in outer if isinstance(part, str)]).model_fields)
            near = get_close_matches(str(last), known, 1, 0.5)
            meant |= {(*outer, name) for name in near}
            cure = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            yield one["loc"], f"{_said(one['loc'])}no such key: {cure}"
    for one in found:
        if one["type"] != "extra_forbidden" and one["loc"] not in meant:
            yield one["loc"], _said(one["loc"]) + _in_words(one)


def _said(path: _Path) -> str:
    """A path as people read it; places in lists are told by their lines."""
    return ".".join(part for part in path if isinstance(part, str)) + ": " if path else ""


def _in_words(problem: ErrorDetails) -> str:
    """What is wrong with one value, and what it should be."""
    bounds, value = problem.get("ctx", {}), _shown(problem["input"])
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
            return f"is {value}: write a list, as in [one, two]"
        case "model_type" | "model_attributes_type":
            return f"is {value}: write keys and values, as in key: value"
        case "string_type":
            return f"is {value}, which YAML takes for no text: put it in quotes"
        case "literal_error":
            known = re.findall(r"'(\w+)'", bounds["expected"])
            near = get_close_matches(str(problem["input"]), known, 1, 0.5)
            return f"is {value}: " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}")
        case _:
            return f"is {value}: {problem['msg'][:1].lower()}{problem['msg'][1:]}".removesuffix(": ")


def _shown(value: object) -> str:
    """A value as its author wrote it, or nearly."""
    if value is None:
        return "nothing"
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # a number of more digits than Python writes
        return "a number beyond all bounds"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


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
            raise yaml.constructor.ConstructorError(None, None, "no aliases", self.get_mark())
        if self._depth > _DEEPEST:
            raise yaml.constructor.ConstructorError(None, None, f"parts inside each other more than {_DEEPEST} deep")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: list[object] = []
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            seen.append(name)
        return super().construct_mapping(node, deep)
