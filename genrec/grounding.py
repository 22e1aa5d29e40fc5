"""The check of a reason: what a sentence says must stand in the evidence or in the item's own fields.

Words are compared by a crude root, so that `explores` is borne out by `exploring`. A word that stands nowhere
in the evidence passes only if it is one of the common words below, which claim nothing. So a sentence that
passes can still combine true words in a wrong way; it cannot bring in a name, number or fact of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST = 280
_FEWEST_WORDS = 4
_ECHO_WORDS = 6

_COMMON = frozenset(
    """
    a about after all also an and another any are as at away be because been before being between both but by can
    could did do does down each else enjoy every few fit for from full further good great had has have he her here
    him his how i if in interest into is it its just kind like lot love made make many match may might more most much
    new next no nor not of off on one only or other our out over own perfect quite rather really same she should
    since so some somebody someone something sort still such suit taste than that the their them then there these
    they this those through to together too under until up upon very was way we well were what when where which while
    who whose why will with without world would you your
    choice choose film give item movie pick product similar story tell try
    """.split()
)
_ABOUT_USER = frozenset("can could enjoy like love may might should will would".split())
_OF_ANY_USER = frozenset("choice interest next own taste".split())
"""What may follow `you` and `your` without evidence: that something may please them, and suit their taste."""

_MARKUP = re.compile(r"[<>*#`{}\[\]|\\_]|https?:|www\.|@", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_OF_USER = re.compile(r"\b(you|your)(?:['’]\w+)?\s+(\w+)", re.IGNORECASE)
_SENTENCE = re.compile(r"(.+?[.!?])(?=\s|$)", re.DOTALL)


@dataclass(frozen=True)
class Facts:
    """What a sentence may draw on.

    `evidence` and `item` are texts; `about` holds, for each piece of evidence, the words that cite it.
    `names` are titles, categories and attributes that it may say only if they are in there; `instructions` is
    the system prompt, which must not leak into a reason.
    """

    evidence: Sequence[str]
    about: Sequence[str]
    item: Sequence[str]
    names: Sequence[str]
    instructions: str


def first_sentence(text: str, beginning: str = "") -> str:
    """The first complete sentence without surrounding quotes, or all of a text that holds none.

    It ends behind `beginning`, which may hold a title with a full stop.
    """
    text = " ".join(text.split()).strip("\"'“”‘’ ")
    kept = len(beginning) if text.startswith(beginning) else 0
    found = _SENTENCE.match(text, kept) if kept < len(text) else None
    return text[: found.end()] if found else text


def check(sentence: str, facts: Facts) -> str | None:
    """None if evidence and item bear out the sentence, else what is wrong with it."""
    return (
        _form(sentence, facts.instructions)
        or _numbers(sentence, facts)
        or _names(sentence, facts)
        or _words(sentence, facts)
        or _user(sentence, facts)
        or _citation(sentence, facts)
    )


def _form(sentence: str, instructions: str) -> str | None:
    words = _plain(sentence).split()
    if len(words) < _FEWEST_WORDS:
        return "it is no sentence"
    if not sentence.endswith((".", "!", "?")):
        return "it has no end"
    if len(sentence) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if found := _MARKUP.search(sentence):
        return f"it contains {found.group()!r}"
    told = f" {_plain(instructions)} "
    echoes = (" ".join(words[start : start + _ECHO_WORDS]) for start in range(len(words) - _ECHO_WORDS + 1))
    return "it repeats the instructions" if any(f" {echo} " in told for echo in echoes) else None


def _numbers(sentence: str, facts: Facts) -> str | None:
    known = set(_NUMBER.findall(_known(facts)))
    unknown = [number for number in _NUMBER.findall(sentence) if number not in known]
    return f"the number {unknown[0]} is not in the evidence" if unknown else None


def _names(sentence: str, facts: Facts) -> str | None:
    """Titles and the like: those of one word as they are written, since many are everyday words."""
    said, known = f" {_plain(sentence)} ", f" {_plain(_known(facts))} "
    words = set(_WORD.findall(sentence)[1:])
    for name in facts.names:
        plain = _plain(name)
        found = f" {plain} " in said if " " in plain else name in words
        if found and plain and f" {plain} " not in known:
            return f"the name {name!r} is not in the evidence"
    return None


def _words(sentence: str, facts: Facts) -> str | None:
    known = {_root(word) for word in _plain(_known(facts)).split()} | {_root(word) for word in _COMMON}
    unknown = [word for word in _plain(sentence).split() if _root(word) not in known]
    return f"the word {unknown[0]!r} is not in the evidence" if unknown else None


def _user(sentence: str, facts: Facts) -> str | None:
    """What is said of the user must be said as often in the evidence."""
    proven = _said_of_user(" ".join(facts.evidence))
    for who, word in _said_of_user(sentence):
        if (who, word) in proven:
            proven.remove((who, word))
        elif word not in (_ABOUT_USER if who == "you" else _OF_ANY_USER):
            return f"'{who} {word}' is not in the evidence"
    return None


def _citation(sentence: str, facts: Facts) -> str | None:
    said = set(_plain(sentence).split())
    cited = (set(_plain(about).split()) for about in facts.about)
    return None if any(about <= said for about in cited) else "it cites none of the evidence"


def _known(facts: Facts) -> str:
    return " \n ".join([*facts.evidence, *facts.item])


def _said_of_user(text: str) -> list[tuple[str, str]]:
    """What follows each `you` and `your`."""
    return [(who.casefold(), word.casefold()) for who, word in _OF_USER.findall(text)]


def _plain(text: str) -> str:
    """Words in lower case, without possessive endings, one space apart."""
    return " ".join(re.sub(r"['’]s$", "", word.casefold()) for word in _WORD.findall(text))


def _root(word: str) -> str:
    for ending in ("ing", "ied", "ies", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.rstrip("y") if len(word) > 2 else word
