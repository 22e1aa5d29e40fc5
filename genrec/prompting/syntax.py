"""What the templates of a pack use and show, read from their syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import meta, nodes

from genrec.prompting.pack import ROLES, Pack
from genrec.prompting.sandbox import METHODS, partials
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


def user_fields(pack: Pack, file: str, language: Language) -> set[str]:
    """Fields of the user that a template or a partial names, as in `user.attributes.age`."""
    found: set[str] = set()
    left, read = [file], set[str]()
    while left:
        tree = pack.tree(left.pop(), language)
        found |= {node.attr for node in tree.find_all(nodes.Getattr) if _of_user(node.node)} - set(METHODS)
        for node in tree.find_all(nodes.Getitem):
            if _of_user(node.node) and isinstance(node.arg, nodes.Const):
                found.add(str(node.arg.value))
        new = set(partials(tree)) - read
        read |= new
        left += new
    return found


def unused_partials(pack: Pack) -> list[str]:
    """Partials that no template includes."""
    included = {name for file in pack.sources for name in partials(pack.tree(file))}
    return [file for file in pack.sources if file.startswith("_") and _VARIANT.sub(".j2", file) not in included]


def never_sent(pack: Pack, file: str) -> Iterator[str]:
    """What stands in a template and gets into no message."""
    for node in pack.tree(file).body:
        if isinstance(node, nodes.Block):
            if node.name not in ROLES:
                yield f"line {node.lineno}: the block {node.name!r} is never sent: blocks are {', '.join(ROLES)}"
        elif not _blank(node):
            yield f"line {node.lineno}: what stands outside of the blocks is never sent"


def _of_user(node: nodes.Node) -> bool:
    """`user.attributes`."""
    return isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "user"


def _blank(node: nodes.Node) -> bool:
    parts = node.nodes if isinstance(node, nodes.Output) else [node]
    return all(isinstance(part, nodes.TemplateData) and not part.data.strip() for part in parts)
