"""What a change of a pack changes in the prompts that are sent, not only in their source."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genrec.authoring.rendering import Rendered, render
from genrec.authoring.samples import demo_data, read_sample, sample_names
from genrec.engine import TokenCounter
from genrec.prompting import TASKS, FrontMatter, Messages, Pack, Task
from genrec.wording import Language

Hunk = tuple[str, ...]
"""Some lines of a unified diff, without its head."""
_AROUND = 1
"""Lines that are shown on either side of a change."""


@dataclass(frozen=True)
class Difference:
    """How one template renders otherwise for one sample."""

    task: Task
    language: Language
    sample: str
    tokens: tuple[int, int]
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True)
class Changed:
    """A setting of a template's front matter that is another now."""

    task: Task
    language: Language
    setting: str
    before: str
    after: str


def differences(
    before: Pack, after: Pack, tokens: TokenCounter, *, only: Task | None = None, sample: str = ""
) -> list[Difference]:
    """By language, task and sample, where a prompt is another. Samples and data are those of `after`.

    `only` one task, and one `sample`, or all of them.

    Raises:
        PromptError: a sample or a template of either fails.
    """
    store, found = demo_data(after), []
    for language in after.languages:
        for task in (only,) if only else TASKS:
            for name in [sample] if sample else sample_names(after):
                scene = read_sample(after, store, name, language)
                was, now = render(before, task, scene, tokens), render(after, task, scene, tokens)
                if was.messages != now.messages:
                    found.append(Difference(task, language, name, (was.total, now.total), tuple(_hunks(was, now))))
    return found


def fresh(found: Iterable[Difference]) -> list[list[Hunk]]:
    """Of each difference the hunks whose changes no earlier one has: that of a system text is in every sample."""
    shown: set[Hunk] = set()
    left: list[list[Hunk]] = []
    for one in found:
        left.append([])
        for hunk in one.hunks:
            changed = tuple(line for line in hunk if line[0] != " ")
            if changed not in shown:
                left[-1].append(hunk)
            shown.add(changed)
    return left


def changed_settings(before: Pack, after: Pack) -> list[Changed]:
    """What the front matter says otherwise; tests and samples change no prompt."""
    found = []
    for language in after.languages:
        for task in TASKS:
            was, now = _settings(before.front(task, language)), _settings(after.front(task, language))
            found += [
                Changed(task, language, name, _said(was[name]), _said(now[name]))
                for name in now
                if was[name] != now[name]
            ]
    return found


def _settings(front: FrontMatter) -> dict[str, object]:
    """What changes what is sent or answered, each by its own name."""
    parts = (("sampling", front.sampling), ("budget", front.budget))
    inner = {f"{part}.{name}": value for part, model in parts for name, value in model.model_dump().items()}
    return {"inputs": front.inputs, **inner, "user_fields": front.user_fields}


def _hunks(was: Rendered, now: Rendered) -> Iterator[Hunk]:
    lines = list(difflib.unified_diff(_text(was.messages), _text(now.messages), n=_AROUND, lineterm=""))[2:]
    heads = [place for place, line in enumerate(lines) if line.startswith("@@")]
    yield from (tuple(lines[head + 1 : end]) for head, end in zip(heads, [*heads[1:], None], strict=True))


def _text(messages: Messages) -> list[str]:
    return [line for message in messages for line in f"[{message['role']}]\n{message['content']}".splitlines()]


def _said(value: object) -> str:
    if value is None or value == ():
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
