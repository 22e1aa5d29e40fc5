"""What is wrong with a pack, before anybody is asked: found by reading its templates and rendering its samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from genrec.authoring.rendering import messages_of, render
from genrec.authoring.samples import WORST, Scene, demo_data, read_sample, sample_names
from genrec.engine import TokenCounter
from genrec.errors import PromptError
from genrec.prompting import TASKS, Pack, RenderError, Script, Task, item_data, syntax
from genrec.prompting.front import FrontMatter, Input, Output
from genrec.ranking import LABELS
from genrec.store import Store
from genrec.wording import Language

Level = Literal["error", "warning"]
_PERSONAL = re.compile(
    r"(^|_)(id|uid|uuid|name|surname|nickname|username|login|e?mail|phone|mobile|tel|address|street|zip|zipcode|postcode"
    r"|birthday|birthdate|dob|ssn|passport|iban|card|ip|password|token|latitude|longitude|gps)($|_)"
)
_RULES: Mapping[Output, tuple[re.Pattern[str], str]] = {
    "label": (re.compile(r"\b(letter|label)s?\b|字母", re.IGNORECASE), "that the answer is a letter"),
    "list": (
        re.compile(r"\bJSON\b(?s:.*)\blabel\b(?s:.*)\breason\b"),
        'that the answer is JSON with "label" and "reason"',
    ),
    "sentence": (re.compile(r"\b(reason|sentence)s?\b|理由|句", re.IGNORECASE), "that the answer is a reason"),
}
"""What a template has to say about the answer."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: an `error` stands in the way of `promote`, a `warning` does not."""

    level: Level
    file: str
    problem: str


@dataclass(frozen=True)
class _Look:
    """One template in one language."""

    pack: Pack
    store: Store
    task: Task
    language: Language
    script: Script
    tokens: TokenCounter

    @property
    def front(self) -> FrontMatter:
        return self.script.front

    @property
    def file(self) -> str:
        return self.script.file

    @cached_property
    def scenes(self) -> Mapping[str, Scene]:
        """Its samples and those of its tests. Raises PromptError for one that cannot be read."""
        wanted = [*(self.front.samples or sample_names(self.pack)), *(case.sample for case in self.front.tests)]
        return {name: read_sample(self.pack, self.store, name, self.language) for name in dict.fromkeys(wanted)}

    def text(self, scene: Scene) -> str:
        """All messages of a sample, one behind the other."""
        return "\n".join(message["content"] for message in messages_of(self.pack, self.task, scene))


def lint(pack: Pack, tokens: TokenCounter) -> list[Finding]:
    """Everything that is found, errors first.

    Raises:
        PromptError: the pack has no demo data; one that does not load raises it before this.
    """
    found, store = [*_of_files(pack), *_of_variants(pack)], demo_data(pack)
    for task, language, script in pack.scripts():
        found += _of_template(_Look(pack, store, task, language, script, tokens))
    return sorted(dict.fromkeys(found), key=lambda finding: finding.level != "error")


def _of_template(look: _Look) -> Iterator[Finding]:
    try:
        samples = look.scenes
    except PromptError as error:
        yield Finding("error", look.file, str(error))
        return
    if not samples:
        yield Finding("warning", look.file, "no samples: what it renders is not looked at")
    yield from (Finding("warning", look.file, problem) for problem in _unknown_fields(look))
    for check in (_variables, _privacy, _output_rule, _stable_prefix, _shows_all, _shows_who, _budget):
        yield from _tried(check, look)


def _tried(check: Callable[[_Look], Iterator[str]], look: _Look) -> Iterator[Finding]:
    """A template that does not render is a finding, not the end; the partial that fails may be that of many."""
    try:
        yield from (Finding("error", look.file, problem) for problem in check(look))
    except RenderError as error:
        yield Finding("error", error.file, f"line {error.line}: does not render: {error.cause}")


def _variables(look: _Look) -> Iterator[str]:
    """Inputs that are declared and used by none, and the other way round."""
    used = syntax.variables(look.pack, look.file, look.language)
    declared = set(look.front.inputs)
    for name in sorted(used - declared):
        known = name in get_args(Input)
        yield f"uses {name!r}, which its inputs do not declare" if known else f"uses {name!r}, which nobody gives it"
    for name in sorted(declared - used):
        yield f"declares the input {name!r} and does not use it"


def _privacy(look: _Look) -> Iterator[str]:
    """Fields that say who somebody is, and fields that are read though they may not be shown."""
    for name in look.front.user_fields:
        if _PERSONAL.search(name.casefold()):
            yield f"user_fields holds {name!r}: who somebody is does not belong in a prompt"
    for name in sorted(syntax.user_fields(look.pack, look.file, look.language) - set(look.front.user_fields)):
        yield f"shows the user's {name!r}, which user_fields does not allow"


def _unknown_fields(look: _Look) -> Iterator[str]:
    known = {name for user_id in look.store.user_ids for name in look.store.user(user_id).attributes}
    for name in look.front.user_fields:
        if name not in known:
            yield f"user_fields holds {name!r}, which no user of the demo data has"


def _output_rule(look: _Look) -> Iterator[str]:
    rule, meaning = _RULES[look.front.output]
    for name, scene in look.scenes.items():
        if not rule.search(look.text(scene)):
            yield f"does not say {meaning} (sample {name})"
            return


def _stable_prefix(look: _Look) -> Iterator[str]:
    """What is equal for all requests comes first, then what is equal for all of a user's, then the candidates."""
    texts = {messages_of(look.pack, look.task, scene)[0]["content"] for scene in look.scenes.values()}
    if len(texts) > 1:
        yield "the system text differs between requests, which then share no cache: move what differs to the user block"
    if not {"history", "candidates"} <= set(look.front.inputs):
        return
    for name, scene in look.scenes.items():
        text = look.text(scene)
        of_candidates = _first_difference(text, look.text(scene.rotated()))
        if scene.request.history and of_candidates < _first_difference(text, look.text(scene.without_history())):
            yield f"shows candidates before the history, which is equal for all requests of a user (sample {name})"
            return


def _shows_all(look: _Look) -> Iterator[str]:
    """Every candidate by its letter and its title, or the model chooses among what it cannot see."""
    if "candidates" not in look.front.inputs:
        return
    for name, scene in look.scenes.items():
        text = look.text(scene).casefold()
        titles = {label: item_data(item)["title"] for label, item in zip(LABELS, scene.candidates, strict=False)}
        lost = [f"{label}, {title}" for label, title in titles.items() if not _stands(label, title, text)]
        yield from (f"does not show the candidate {one} (sample {name})" for one in lost[:1])


def _stands(label: str, title: str, text: str) -> bool:
    """Whether a small-letter text shows a letter by itself, and a title."""
    return title.casefold() in text and re.search(rf"(?<![a-z]){label.lower()}(?![a-z])", text) is not None


def _shows_who(look: _Look) -> Iterator[str]:
    """An id that is a number may stand in a prompt as an age or a price, so numbers are passed over."""
    for name, scene in look.scenes.items():
        who = scene.request.user.user_id
        if re.search(rf"(?<!\w){re.escape(who)}(?!\w)", look.text(scene)) and not who.isdigit():
            yield f"shows the user's id {who!r} (sample {name})"


def _budget(look: _Look) -> Iterator[str]:
    longest = read_sample(look.pack, look.store, WORST, look.language)
    for name, scene in {**look.scenes, WORST: longest}.items():
        rendered = render(look.pack, look.task, scene, look.tokens)
        if not rendered.fits:
            yield (
                f"takes {rendered.total} tokens of a budget of {rendered.allowed} for sample {name}, with everything "
                "cut that may be: raise the budget or show less of each candidate"
            )


def _of_files(pack: Pack) -> Iterator[Finding]:
    """Partials that nobody includes, and text that is sent to nobody."""
    unused = syntax.unused_partials(pack)
    yield from (Finding("warning", file, "is included nowhere") for file in unused)
    for file in pack.sources:
        if not file.startswith("_"):
            yield from (Finding("warning", file, problem) for problem in syntax.never_sent(pack, file))


def _of_variants(pack: Pack) -> Iterator[Finding]:
    """Languages that have some of the templates, and allow-lists that differ."""
    for language in pack.languages[1:]:
        for task in TASKS:
            script, english = pack.script(task, language), pack.script(task)
            if script.file == english.file:
                yield Finding("warning", english.file, f"has no variant {task}.{language}.j2, which others have")
            elif set(script.front.user_fields) != set(english.front.user_fields):
                yield Finding("error", script.file, f"its user_fields are not those of {english.file}")
    rank, listed = pack.script("rank"), pack.script("list")
    if set(rank.front.user_fields) != set(listed.front.user_fields):
        yield Finding("error", listed.file, f"its user_fields are not those of {rank.file}")


def _first_difference(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
