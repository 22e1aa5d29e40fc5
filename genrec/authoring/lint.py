"""What is wrong with a pack, before anybody is asked: found by reading its templates and rendering its samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from genrec.authoring.rendering import render
from genrec.authoring.samples import WORST, Scene, demo_data, read_sample, sample_names, scenes
from genrec.engine import Tokens
from genrec.errors import PromptError
from genrec.prompting import TASKS, Pack, Task, syntax
from genrec.prompting.front import FrontMatter, Input, Output
from genrec.prompting.pack import DEFAULT
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
    """One template in one language, with its samples."""

    pack: Pack
    task: Task
    language: Language
    scenes: Mapping[str, Scene]
    tokens: Tokens

    @property
    def front(self) -> FrontMatter:
        return self.pack.front(self.task, self.language)

    @property
    def file(self) -> str:
        return self.pack.script(self.task, self.language).file

    def text(self, scene: Scene) -> str:
        """All messages of a sample, one behind the other."""
        rendered = self.pack.render(self.task, scene.data(), self.language)
        return "\n".join(message["content"] for message in rendered)


def lint(pack: Pack, tokens: Tokens) -> list[Finding]:
    """Everything that is found, errors first. A pack that does not load raises PromptError before this."""
    found = [*_of_files(pack), *_of_variants(pack)]
    for language in pack.languages:
        for task in TASKS:
            if language == DEFAULT or pack.script(task, language).file != pack.script(task).file:
                found += _of_template(pack, task, language, tokens)
    return sorted(dict.fromkeys(found), key=lambda finding: finding.level != "error")


def _of_template(pack: Pack, task: Task, language: Language, tokens: Tokens) -> Iterator[Finding]:
    file, front = pack.script(task, language).file, pack.front(task, language)
    try:
        store = demo_data(pack)
        wanted = dict.fromkeys([*(front.samples or sample_names(pack)), *(case.sample for case in front.tests)])
        look = _Look(pack, task, language, scenes(pack, store, list(wanted), language), tokens)
        worst = read_sample(pack, store, WORST, language)
    except PromptError as error:
        yield Finding("error", file, str(error))
        return
    if not look.scenes:
        yield Finding("warning", file, "no samples: what it renders is not looked at")
    yield from (Finding("error", file, problem) for problem in _variables(look))
    yield from (Finding("error", file, problem) for problem in _privacy(look))
    known = {name for user_id in store.user_ids for name in store.user(user_id).attributes}
    yield from (
        Finding("warning", file, f"user_fields holds {name!r}, which no user of the demo data has")
        for name in front.user_fields
        if name not in known
    )
    for check in (_output_rule, _stable_prefix, _shows_who, partial(_budget, worst=worst)):
        yield from (Finding("error", file, problem) for problem in _tried(check, look))


def _tried(check: Callable[[_Look], Iterator[str]], look: _Look) -> Iterator[str]:
    """A template that does not render is a finding, not the end."""
    try:
        yield from check(look)
    except PromptError as error:
        yield str(error)


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
            yield f"user_fields holds {name!r}: who somebody is does not belong into a prompt"
    for name in sorted(syntax.user_fields(look.pack, look.file, look.language) - set(look.front.user_fields)):
        yield f"shows the user's {name!r}, which user_fields does not allow"


def _output_rule(look: _Look) -> Iterator[str]:
    rule, meaning = _RULES[look.front.output]
    for name, scene in look.scenes.items():
        if not rule.search(look.text(scene)):
            yield f"does not say {meaning} (sample {name})"
            return


def _stable_prefix(look: _Look) -> Iterator[str]:
    """What is equal for all requests comes first, then what is equal for all of a user's, then the candidates."""
    texts = {look.pack.system(look.task, scene.data(), look.language) for scene in look.scenes.values()}
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


def _shows_who(look: _Look) -> Iterator[str]:
    for name, scene in look.scenes.items():
        who = scene.request.user.user_id
        if re.search(rf"(?<!\w){re.escape(who)}(?!\w)", look.text(scene)) and not who.isdigit():
            yield f"shows the user's id {who!r} (sample {name})"


def _budget(look: _Look, worst: Scene) -> Iterator[str]:
    for name, scene in {**look.scenes, WORST: worst}.items():
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


def _first_difference(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
