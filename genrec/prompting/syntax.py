"""What the templates of a pack use and show, read from their syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from jinja2 import meta, nodes

from genrec.prompting.pack import ROLES, Pack
from genrec.prompting.sandbox import METHODS, localised, partials
from genrec.wording import Language

_VARIANT = re.compile(r"\.[a-z]{2}\.j2$")


def variables(pack: Pack, file: str, language: Language) -> set[str]:
    """What a template and its partials take from outside."""
    known: dict[str, set[str]] = {}

    def taken(name: str) -> set[str]:
        if name not in known:  # many may include one, which is read once
            tree = pack.tree(name, language)
            own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
            inner = set().union(*(taken(partial) for partial in partials(tree)))
            known[name] = meta.find_undeclared_variables(tree) | (inner - own)
        return known[name]

    return taken(file)


@dataclass(frozen=True)
class Place:
    """A line of a template or a partial."""

    file: str
    line: int


Trees = Mapping[str, nodes.Template]
"""A template and the partials below it, by the names of their files."""
Owner = Literal["user", "item", "context", "other"]
"""Whose field it is: an attribute of the user, one of an item, a field of a context, or any other."""


@dataclass(frozen=True)
class Field:
    """A field that a template names behind a dot, as `year` in `item.attributes.year`."""

    owner: Owner
    name: str
    place: Place


def trees(pack: Pack, file: str, language: Language) -> Trees:
    """A template and the partials below it, as they are found in a language."""
    found: dict[str, nodes.Template] = {}
    left = [file]
    while left:
        name = localised(left.pop(), language, pack.sources) or file
        if name not in found:
            found[name] = pack.tree(name, language)
            left += partials(found[name])
    return found


def fields(read: Trees) -> Iterator[Field]:
    """What the templates name behind a dot."""
    for file, tree in read.items():
        for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
            if (step := _step(node)) and step[1] not in METHODS and not _of_loop(step[0]):
                yield Field(_owner(step[0]), step[1], Place(file, node.lineno))


def place_of(read: Trees, variable: str) -> Place | None:
    """Where a variable is used first."""
    named = (
        Place(file, node.lineno)
        for file, tree in read.items()
        for node in tree.find_all(nodes.Name)
        if node.name == variable and node.ctx == "load"
    )
    return next(named, None)


def loop_over(read: Trees, variable: str) -> Place | None:
    """Where a loop over a variable begins."""
    loops = (
        Place(file, loop.lineno)
        for file, tree in read.items()
        for loop in tree.find_all(nodes.For)
        if variable
        in {node.name for node in (loop.iter, *loop.iter.find_all(nodes.Name)) if isinstance(node, nodes.Name)}
    )
    return next(loops, None)


def unused_partials(pack: Pack) -> list[str]:
    """Partials that no template includes."""
    included = {name for file in pack.sources for name in partials(pack.tree(file))}
    return [file for file in pack.sources if file.startswith("_") and _VARIANT.sub(".j2", file) not in included]


def never_sent(pack: Pack, file: str) -> Iterator[tuple[int, str]]:
    """What stands in a template and gets into no message, with its line."""
    for node in pack.tree(file).body:
        if isinstance(node, nodes.Block):
            if node.name not in ROLES:
                yield node.lineno, f"the block {node.name!r} is never sent: blocks are {', '.join(ROLES)}"
        elif not _blank(node):
            yield node.lineno, "what stands outside of the blocks is never sent"


def _step(node: nodes.Node) -> tuple[nodes.Node, str] | None:
    """`x.name` or `x["name"]` as x and the name."""
    match node:
        case nodes.Getattr(node=inner, attr=name) | nodes.Getitem(node=inner, arg=nodes.Const(value=str(name))):
            return inner, name
    return None


def _owner(node: nodes.Node) -> Owner:
    """Whose fields a node holds."""
    inner, name = _step(node) or (None, None)
    if name == "attributes":
        return "user" if isinstance(inner, nodes.Name) and inner.name == "user" else "item"
    return "context" if name == "context" or (isinstance(node, nodes.Name) and node.name == "context") else "other"


def _inside(node: nodes.Node) -> Iterator[nodes.Node]:
    """A part and all of its parts."""
    yield node
    yield from node.find_all(nodes.Node)


def _of_loop(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "loop"


def _blank(node: nodes.Node) -> bool:
    parts = node.nodes if isinstance(node, nodes.Output) else [node]
    return all(isinstance(part, nodes.TemplateData) and not part.data.strip() for part in parts)
