"""What a template may do, and how much of it: templates may come from people who only know Jinja, or mean harm.

Three guards, each on its own:

- A *list of what is allowed*: the parts of Jinja that prompts need. Anything else does not compile.
- *Values*: an attribute is a key of a dict or one of a few names; printed are texts and numbers.
- *Fuel*: every turn of a loop, every text that is put together, every included partial and every character of the
  output uses some up. What a template can cost is thereby bounded, in time and in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from math import isfinite
from time import perf_counter, thread_time
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from genrec.prompting.missing import Missing, kind

_LONGEST_SOURCE = 64_000
_MOST_NODES = 5_000
_DEEPEST = 60
_FUEL = 200_000
_SECONDS = 0.2
"""Of the processor, for one message."""
_UNWATCHED_S = 0.1
"""So long nobody asks how much that is: the question takes longer than most messages."""
_OF_PARTIAL = 100
"""Fuel that including a partial takes."""
_LONGEST_TEXT = 20_000
"""Characters of a text that a template puts together."""
_LARGEST = 1e15
_ROUNDED = 15

FILTERS = ("capitalize", "default", "first", "join", "last", "length", "lower", "replace", "round", "trim")
TESTS = ("defined", "undefined", "none", "string", "number", "even", "odd", "mapping", "sequence")
METHODS = ("items", "keys", "values")
"""What may be called: these of a dict, without arguments."""
_LOOP = ("index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem")
_RESERVED = ("self", "super", "caller", "varargs", "kwargs")

_Node = nodes.Node
_ALLOWED: tuple[type[_Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Block, nodes.Include),
    *(nodes.If, nodes.For, nodes.Assign, nodes.CondExpr),
    *(nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List, nodes.Tuple),
    *(nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Neg, nodes.Concat),
)
_NAMED = {
    "Macro": "macros",
    "Call": "calls",
    "CallBlock": "call blocks",
    "FilterBlock": "filter blocks",
    "AssignBlock": "set blocks",
    "Import": "imports",
    "FromImport": "imports",
    "Extends": "extends",
    "Pow": "powers",
    "Mod": "%",
    "FloorDiv": "//",
    "Dict": "dicts",
    "NSRef": "namespaces",
}
"""What people call it."""


class LimitError(jinja2.TemplateError):
    """A template did more than a prompt may cost."""


class Fuel:
    """What is left for one rendering."""

    def __init__(self) -> None:
        self._left = _FUEL
        self._watched_from = perf_counter() + _UNWATCHED_S
        self._until: float | None = None

    def spend(self, amount: int) -> None:
        """Raises LimitError where nothing is left."""
        self._left -= amount
        if self._left < 0 or (perf_counter() > self._watched_from and self._slow()):
            raise LimitError("it loops, repeats or writes more than any prompt needs")

    def _slow(self) -> bool:
        if self._until is None:
            self._until = thread_time() + _SECONDS
        return thread_time() > self._until


_fuel: ContextVar[Fuel] = ContextVar("fuel")


@contextmanager
def fuelled() -> Iterator[Fuel]:
    """Fuel for everything that is rendered inside."""
    fuel = Fuel()
    token = _fuel.set(fuel)
    try:
        yield fuel
    finally:
        _fuel.reset(token)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without globals, with a few filters, and with fuel. Everything that is not there is an error."""

    intercepted_binops = frozenset(["+", "-", "*", "/"])

    def __init__(self, sources: Mapping[str, str], language: str) -> None:
        """`sources`: templates by their file names; `NAME.zh.j2` stands for `NAME.j2` where the language is zh."""
        super().__init__(
            loader=_Loader(sources, language),
            undefined=Missing,
            autoescape=False,  # the output is a prompt, not a page
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # nothing is worked out before there is fuel
            finalize=_printed,
        )
        self.globals.clear()
        ours: dict[str, Any] = {"join": _join, "replace": _replace, "round": _round}
        ours |= {name: _of_text(self.filters[name]) for name in ("capitalize", "lower", "trim")}
        self.filters = {name: self.filters[name] for name in FILTERS} | ours
        self.filters |= {"each ": _each, "partial ": _partial}  # the blank keeps these from being written in a template
        self.tests = {name: self.tests[name] for name in TESTS}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        del value
        return (isinstance(obj, dict) and attr in METHODS) or (isinstance(obj, LoopContext) and attr in _LOOP)

    def is_safe_callable(self, obj: Any) -> bool:
        return getattr(obj, "__name__", "") in METHODS and isinstance(getattr(obj, "__self__", None), dict)

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            _make_room(len(left) + len(right))
            return left + right
        if not (_is_number(left) and _is_number(right)):
            raise LimitError(f"{operator} is for numbers, not for {kind(left)} and {kind(right)}")
        found = super().call_binop(context, operator, left, right)
        if abs(found) > _LARGEST:
            raise LimitError(f"{operator} makes a number beyond {_LARGEST:g}")
        return found


class _Loader(jinja2.BaseLoader):
    """Templates that were read, each checked before it is compiled."""

    def __init__(self, sources: Mapping[str, str], language: str) -> None:
        self._sources, self._language = sources, language

    def load(
        self, environment: jinja2.Environment, name: str, globals: MutableMapping[str, Any] | None = None
    ) -> jinja2.Template:
        file = localised(name, self._language, self._sources)
        if file is None:
            raise jinja2.TemplateNotFound(name)
        source = self._sources[file]
        try:
            tree = parse(environment, source, file)
            _check(tree, file)
            metered = _Meter().visit(tree)
            metered.set_environment(environment)
            code = environment.compile(metered, file, file)
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            raise jinja2.TemplateSyntaxError(f"{type(error).__name__}: {_one_line(error)}", 1, file, file) from error
        return jinja2.Template.from_code(environment, code, globals or {})


def localised(name: str, language: str, files: Iterable[str]) -> str | None:
    """The file that stands for `NAME.j2` in a language: `NAME.zh.j2` before `NAME.j2`."""
    variant = f"{name.removesuffix('.j2')}.{language}.j2"
    return next((file for file in (variant, name) if file in files), None)


def parse(environment: jinja2.Environment, source: str, file: str) -> nodes.Template:
    """The tree of a template. Raises TemplateSyntaxError."""
    if len(source) > _LONGEST_SOURCE:
        raise jinja2.TemplateSyntaxError(f"longer than {_LONGEST_SOURCE} characters", 1, file, file)
    return environment.parse(source, file, file)


def partials(tree: nodes.Template) -> dict[str, int]:
    """The files that a template includes by name, each with the first line that does."""
    named = [include.template for include in tree.find_all(nodes.Include)]
    return {name.value: name.lineno for name in reversed(named) if isinstance(name, nodes.Const)}


def _check(tree: nodes.Template, file: str) -> None:
    """Refuse what prompts have no use for. Raises TemplateSyntaxError with the line."""
    level: list[tuple[_Node, int]] = [(tree, 0)]
    count = 0
    while level:
        node, depth = level.pop()
        count += 1
        problem = f"more than {_MOST_NODES} parts" if count > _MOST_NODES else _problem(node, depth)
        if problem:
            raise jinja2.TemplateSyntaxError(problem, node.lineno or 1, file, file)
        level += [(child, depth + 1) for child in node.iter_child_nodes()]


def _problem(node: _Node, depth: int) -> str | None:
    """What is wrong with one part of a template."""
    if depth > _DEEPEST:
        return f"parts inside each other more than {_DEEPEST} deep"
    if not isinstance(node, _ALLOWED):
        name = type(node).__name__
        return f"no {_NAMED.get(name, name.lower())} in a prompt"
    # Jinja says of a name that is not there only where its branch is taken.
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"No filter named {node.name!r}: {_meant(node.name, FILTERS)}there are {', '.join(FILTERS)}"
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return f"No test named {node.name!r}: {_meant(node.name, TESTS)}there are {', '.join(TESTS)}"
    return _misuse(node)


def _meant(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}? " if near else ""


def _misuse(node: _Node) -> str | None:
    """What is wrong with a part that is allowed as such."""
    match node:
        case nodes.Name(name=name) if name.startswith("_") or name in _RESERVED:
            return f"the name {name!r} is not for templates"
        case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))) if name.startswith("_"):
            return f"the field {name!r} is not for templates"
        case nodes.Call() if not _reads_fields(node):
            return f"no calls but {', '.join(f'.{name}()' for name in METHODS)} of what has fields"
        case nodes.List(items=items) | nodes.Tuple(items=items, ctx="load") if not _constant(items):
            return "a list may hold plain values only"
        case nodes.Const(value=float(value)) if not isfinite(value):
            return "a number beyond all bounds"
        case nodes.For(recursive=True):
            return "no recursive loops"
        case nodes.Include() if not _names_a_partial(node):
            return 'include names a partial of the pack: {% include "_item.j2" %}'
    return None


def _reads_fields(call: nodes.Call) -> bool:
    """`x.items()` and its like."""
    bare = not (call.args or call.kwargs or call.dyn_args or call.dyn_kwargs)
    return bare and isinstance(call.node, nodes.Getattr) and call.node.attr in METHODS


def _constant(items: Sequence[_Node]) -> bool:
    return all(isinstance(item, nodes.Const) for item in items)


def _names_a_partial(include: nodes.Include) -> bool:
    name = include.template.value if isinstance(include.template, nodes.Const) else None
    return isinstance(name, str) and name.startswith("_") and not include.ignore_missing


class _Meter(NodeTransformer):
    """Puts fuel into everything that repeats or grows."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # so named by jinja2, as the next ones
        self.generic_visit(node)
        node.iter = _filter(node.iter, "each ")
        return node

    def visit_Include(self, node: nodes.Include) -> nodes.Include:  # noqa: N802
        node.template = _filter(node.template, "partial ")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "join")


def _filter(node: _Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _each(values: Any) -> Iterator[Any]:
    for value in values:
        _fuel.get().spend(1)
        yield value


def _partial(name: str) -> str:
    _fuel.get().spend(_OF_PARTIAL)
    return name


def _join(values: Any, between: str = "") -> str:
    parts, between = [_plain(value) for value in values], _plain(between)
    _make_room(sum(map(len, parts)) + len(parts) * len(between))
    return between.join(parts)


def _replace(text: Any, old: str, new: str) -> str:
    said, old, new = _plain(text), _plain(old), _plain(new)
    _make_room(len(said) + said.count(old) * len(new))
    return said.replace(old, new)


def _of_text(filter_: Callable[..., str]) -> Callable[..., str]:
    """A filter of Jinja for what can be printed; by itself it takes anything for a text."""

    def checked(value: Any, *args: str) -> str:
        return filter_(_plain(value), *args)

    return checked


def _round(value: Any, digits: int = 0) -> float:
    if not _is_number(value) or not _is_number(digits) or not 0 <= digits <= _ROUNDED:
        raise LimitError(f"round takes a number and 0 to {_ROUNDED} digits")
    return round(float(value), int(digits))


def _make_room(characters: int) -> None:
    """For a text that is about to be put together."""
    if characters > _LONGEST_TEXT:
        raise LimitError(f"it puts together a text of more than {_LONGEST_TEXT} characters")
    _fuel.get().spend(characters + 1)


@jinja2.pass_context
def _printed(context: jinja2.runtime.Context, value: Any) -> str:
    """What `{{ }}` writes. A list or a dict would come out as Python writes it, which no prompt wants."""
    del context  # asked for, so that no value is worked out when the template is compiled
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 22, not 22.0
    if isinstance(value, str | Undefined) or _is_number(value):
        return str(value)  # raises for what is undefined
    raise LimitError(f"it prints {kind(value)}: print its texts and numbers one by one")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
