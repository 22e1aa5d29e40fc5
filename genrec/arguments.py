"""The options that commands share, and what their texts mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from genrec.config import MOST_CANDIDATES
from retrieval import Between, Context, Filter
from retrieval.filters import Condition


class StrategyName(StrEnum):
    """How the model is asked."""

    labels = "labels"
    json = "json"


class LanguageName(StrEnum):
    """The language of reasons."""

    en = "en"
    zh = "zh"


Data = Annotated[Path, typer.Option("--data", help="Folder with items, and users and events where there are any.")]
DemoOrData = Annotated[
    Path | None, typer.Option("--data", help="Folder with items, users and events; else the demo data of the pack.")
]
Count = Annotated[int, typer.Option("--n", min=1, max=MOST_CANDIDATES, help="How many items.")]
Engine = Annotated[
    str | None, typer.Option("--engine", metavar="URL", help="A vLLM or OpenAI-compatible server instead of our own.")
]
Model = Annotated[str | None, typer.Option(help="Hub id, local folder or wheel:PACKAGE; else what suits the machine.")]
PackName = Annotated[str | None, typer.Option("--pack", help="Name or folder of prompts; else what the data names.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="NAME=VALUE", help="Only items with it; also NAME=THIS|THAT and NAME=LOW..HIGH."),
]
Allow = Annotated[list[str] | None, typer.Option("--allow", metavar="ITEM", help="Only these items.")]
Deny = Annotated[list[str] | None, typer.Option("--deny", metavar="ITEM", help="Never these items.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")]
OneUser = Annotated[str, typer.Option("--user", help="For whom.")]
OneItem = Annotated[str, typer.Option("--item", help="The item that is asked about.")]
Moment = Annotated[
    list[str] | None, typer.Option("--context", metavar="KEY=VALUE", help="time, place, device or any other field.")
]
Instruction = Annotated[str, typer.Option("--instruction", help="What the user asks for, in words.")]
InLanguage = Annotated[LanguageName, typer.Option("--language", help="The language of reasons.")]


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """A parser for options that take one of a few words; another is a usage error that names the nearest."""

    def parse(value: str) -> str:
        if value in known:
            return value
        near = get_close_matches(value, known, 1)
        meant = f"did you mean {near[0]!r}?" if near else f"say one of {', '.join(known)}"
        raise typer.BadParameter(f"{value!r}: {meant}")

    return parse


def parse_context(pairs: list[str]) -> Context:
    """`KEY=VALUE` pairs as a context; a bad one is a usage error that names it."""
    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals or not value:
            raise typer.BadParameter(f"{pair!r}: write --context KEY=VALUE, for example --context place=Beijing")
        fields[name] = value
    try:
        return Context.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise typer.BadParameter(
            f"{problem['loc'][0]}={problem['input']!r}: {problem['msg']}; a time reads 2023-08-05 or 2023-08-05T19:30"
        ) from error


def parse_filter(where: list[str], allow: list[str] | None, deny: list[str]) -> Filter:
    """`NAME=VALUE`, `NAME=THIS|THAT` and `NAME=LOW..HIGH` as a filter; a bad one is a usage error that names it."""
    conditions: dict[str, Condition] = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise typer.BadParameter(f"{text!r}: write --where NAME=VALUE, NAME=THIS|THAT or NAME=LOW..HIGH")
        try:
            conditions[name] = _condition(value)
        except ValidationError as error:
            raise typer.BadParameter(f"{text!r}: {error.errors(include_url=False)[0]['msg']}") from error
        except ValueError as error:
            raise typer.BadParameter(f"{text!r}: {error}") from error
    return Filter(where=conditions, allow=frozenset(allow) if allow else None, deny=frozenset(deny))


def _condition(value: str) -> Condition:
    low, dots, high = value.partition("..")
    if not dots:
        return tuple(value.split("|")) if "|" in value else value
    return Between(low=float(low) if low else None, high=float(high) if high else None)
