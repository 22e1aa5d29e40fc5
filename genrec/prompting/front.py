"""What a template says about itself: YAML between two `---` lines. Strict: an unknown key is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from genrec.prompting.strict import Fault, line_of, read_strictly

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


def split(source: str) -> tuple[str, str | None]:
    """A template without its front matter, and that as YAML or None; line numbers are those of the file in both."""
    found = _FRONT_MATTER.match(source)
    if not found:
        return source, None
    comment = "{#" + "\n" * found.group(0).count("\n") + "-#}"
    return comment + source[found.end() :], "\n" + found.group(1)


def read_front(task: Task, source: str) -> tuple[FrontMatter | None, list[Fault]]:
    """The front matter of a task's template, or all that is wrong with it."""
    _, text = split(source)
    if text is None and source.startswith("---\n"):
        return None, [Fault(1, "the front matter does not end: put a line --- behind it")]
    if text is None:
        return None, [Fault(None, "no front matter: begin with ---, what docs/prompts.md lists, and ---")]
    front, faults = read_strictly(text, FrontMatter)
    if front and front.output != OUTPUTS[task]:
        line = line_of(text, "output")
        return None, [Fault(line, f"output: is {front.output!r}: the answer to {task}.j2 is {OUTPUTS[task]!r}")]
    return front, faults
