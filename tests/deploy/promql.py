"""PromQL as far as the tests need it: which metrics an expression names, and which labels it asks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORDS = {"and", "or", "unless"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\w)(\s*\()?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')

Matchers = list[tuple[str, str, str]]
"""Label, operator, value."""


def selectors(expression: str) -> Iterator[tuple[str, Matchers]]:
    """Each metric with what is asked of its labels."""
    rest = re.sub(r"\[[^\]]*\]", "", _outside_strings(_GROUPING.sub(" ", expression)))
    for found in _SELECTOR.finditer(rest):
        name, braces, call = found.groups()
        if not call and name not in _WORDS:
            yield name, _MATCHER.findall((braces or "").replace("\0", "]"))


def groupings(expression: str) -> set[str]:
    """The labels that results are grouped by."""
    return {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",")} - {""}


def _outside_strings(expression: str) -> str:
    """Brackets and braces inside of strings would look like those of PromQL."""
    return _STRING.sub(lambda found: re.sub(r"[\]\[{}]", "\0", found[0]), expression)
