"""What is wrong with the messages that a template's samples make: rules, candidates, the budget."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from genrec.authoring.findings import Finding
from genrec.authoring.look import Look
from genrec.authoring.rendering import render
from genrec.authoring.samples import read_sample
from genrec.authoring.scene import Scene
from genrec.authoring.worst import WORST
from genrec.prompting import item_data, syntax
from genrec.prompting.front import Output
from genrec.ranking import LABELS

_RULES: Mapping[Output, tuple[re.Pattern[str], str]] = {
    "label": (re.compile(r"\b(letter|label)s?\b|字母", re.IGNORECASE), "that the answer is a letter"),
    "list": (
        re.compile(r"\bJSON\b(?s:.*)\blabel\b(?s:.*)\breason\b"),
        'that the answer is JSON with "label" and "reason"',
    ),
    "sentence": (re.compile(r"\b(reason|sentence)s?\b|理由|句", re.IGNORECASE), "that the answer is a reason"),
}
"""What a template has to say about the answer."""
_MARK = "\u2045{}\u2046"
"""A letter that no text holds by chance."""
_NAMED = 3


def output_rule(look: Look) -> Iterator[Finding]:
    """What the answer has to be is said."""
    rule, meaning = _RULES[look.front.output]
    for name, scene in look.scenes.items():
        if not rule.search(look.text(scene)):
            yield Finding("error", look.file, f"does not say {meaning}", sample=name)
            return


def candidates(look: Look) -> Iterator[Finding]:
    """Every candidate stands there by its letter and its title, or the model chooses among what it cannot see."""
    if "candidates" not in look.front.inputs:
        return
    place = syntax.loop_over(look.trees, "candidates") or syntax.Place(look.file, 0)
    for name, scene in look.scenes.items():
        text, marked = look.text(scene).casefold(), _marked(look, scene)
        shown = list(zip(LABELS, (item_data(item)["title"] for item in scene.candidates), strict=False))
        lost = [f"{label}, {title}" for label, title in shown if title.casefold() not in text]
        unlettered = [label for label, _ in shown if _MARK.format(label) not in marked]
        if lost:
            problem = f"does not show the candidate {_some(lost, '; ')}, which the model may choose"
        elif unlettered:
            problem = f"does not show the letter of candidate {_some(unlettered, ', ')}: write {{{{ item.label }}}}"
        else:
            continue
        yield Finding("error", place.file, problem, place.line, sample=name)
        return


def _some(names: list[str], between: str) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return between.join(names[:_NAMED]) + more


def _marked(look: Look, scene: Scene) -> str:
    """What is sent with letters that can be told from words."""
    data = scene.data()
    for candidate in data["candidates"]:
        candidate["label"] = _MARK.format(candidate["label"])
    return "\n".join(message["content"] for message in look.pack.render(look.task, data, look.language))


def budget(look: Look) -> Iterator[Finding]:
    """The longest that can come fits, with everything cut that may be."""
    longest = read_sample(look.pack, look.store, WORST, look.language)
    for name, scene in {**look.scenes, WORST: longest}.items():
        rendered = render(look.pack, look.task, scene, look.tokens)
        if not rendered.fits:
            many = f"{len(scene.candidates)} candidates" if "candidates" in look.front.inputs else "one item"
            problem = (
                f"takes {rendered.total} tokens of a budget of {rendered.allowed} for {many}, with everything cut that "
                "may be: raise the budget or show less of each candidate"
            )
            yield Finding("error", look.file, problem, look.line("budget", "tokens"), sample=name)
