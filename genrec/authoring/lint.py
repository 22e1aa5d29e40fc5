"""What is wrong with a pack, before anybody is asked: found by reading and by rendering its templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from genrec.authoring import caching, catalogue, naming, privacy, sampling, sending
from genrec.authoring.findings import Finding, tidied
from genrec.authoring.look import Look
from genrec.authoring.samples import demo_data
from genrec.engine import TokenCounter
from genrec.prompting import TASKS, Pack, RenderError, syntax

__all__ = ["Finding", "lint"]

_Check = Callable[[Look], Iterator[Finding]]
_READING: tuple[_Check, ...] = (
    *(naming.inputs, naming.users_fields, naming.fields),
    *(privacy.privacy, sampling.asked_for),
)
_RENDERING: tuple[_Check, ...] = (
    *(sending.output_rule, caching.stable_prefix, sending.candidates, privacy.shown_ids, sending.budget),
    *(catalogue.catalogue, catalogue.nothing_known),
)


def lint(pack: Pack, tokens: TokenCounter) -> list[Finding]:
    """Everything that is found, errors first.

    Raises:
        PromptError: the pack has no demo data; one that does not load raises it before this.
    """
    store = demo_data(pack)
    found = [*_of_files(pack), *_of_variants(pack), *sampling.sample_files(pack, store)]
    for task, language, script in pack.scripts():
        found += _of_template(Look(pack, store, task, language, script, tokens))
    return tidied(found)


def _of_template(look: Look) -> Iterator[Finding]:
    """A line that does not render is a finding, not the end; what reading has found there already is found once."""
    read = [finding for check in _READING for finding in check(look)]
    yield from read
    for check in _RENDERING:
        try:
            found = list(check(look))
        except RenderError as error:
            found = [Finding("error", error.file, error.cause, error.line, error.sample)]
        for finding in found:
            beside = [one for one in read if one.line and (one.file, one.line) == (finding.file, finding.line)]
            if not any(one.level == "error" for one in beside):
                yield _reworded(finding, beside)


def _reworded(finding: Finding, beside: list[Finding]) -> Finding:
    """A name that nothing has fails when it is rendered; what has been read says better why."""
    missing = re.search(r"no '([^']+)'", finding.problem)
    for read in beside:
        if missing and re.search(rf"\b{re.escape(missing[1])}\b", read.problem):
            return replace(finding, problem=read.problem)
    return finding


def _of_files(pack: Pack) -> Iterator[Finding]:
    """Templates that nobody asks for, text that is sent to nobody, and a pack without tests."""
    for file in syntax.unused_partials(pack):
        yield Finding("warning", file, "is included nowhere")
    for file in pack.sources:
        if file.partition(".")[0] in TASKS:
            yield from (Finding("warning", file, problem, line) for line, problem in syntax.never_sent(pack, file))
        elif not file.startswith("_"):
            asked = ", ".join(f"{task}.j2" for task in TASKS)
            yield Finding("warning", file, f"nobody asks for it: templates are {asked}, partials begin with _")
    if not any(script.front.tests for _, _, script in pack.scripts()):
        yield Finding("warning", "rank.j2", "no template has tests: write what must hold, see docs/prompts.md")


def _of_variants(pack: Pack) -> Iterator[Finding]:
    """Languages that have some of the templates, and allow-lists that differ."""
    for language in pack.languages[1:]:
        for task in TASKS:
            script, english = pack.script(task, language), pack.script(task)
            if script.file == english.file:
                yield Finding("warning", english.file, f"has no variant {task}.{language}.j2, which others have")
            elif problem := _differ(script.front.user_fields, english.front.user_fields):
                yield Finding("error", script.file, f"its user_fields are not those of {english.file}: {problem}")
    rank, listed = pack.script("rank"), pack.script("list")
    if problem := _differ(listed.front.user_fields, rank.front.user_fields):
        yield Finding("error", listed.file, f"its user_fields are not those of {rank.file}: {problem}")


def _differ(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    """How two allow-lists differ, in words; empty where they do not."""
    lacks, alone = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    parts = [f"they lack {', '.join(map(repr, lacks))}"] * bool(lacks)
    return " and ".join([*parts, *[f"only they hold {', '.join(map(repr, alone))}"] * bool(alone)])
