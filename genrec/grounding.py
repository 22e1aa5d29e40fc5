"""The check of a reason: what a sentence says must stand in the evidence or in the item's own fields.

Words are compared by a crude root, so that `explores` is borne out by `exploring`. A word that stands nowhere
in the evidence passes only if it is one of the common words below, which claim nothing. So a sentence that
passes can still combine true words in a wrong way; it cannot bring in a name, number or fact of its own.

Chinese has no spaces: there every character must be part of a common word, or of two neighbours that stand
together in the evidence.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from genrec.wording import Language

_LONGEST = 280
_FEWEST_WORDS = 4
_ECHO_WORDS = 6

_COMMON = frozenset(
    """
    a about after all also an and another any are as at away be because been before being between both but by can
    could did do does down each else enjoy every few fit for from full further good great had has have here
    how i if in interest into is it its just kind like lot love made make many match may might more most much
    new next no nor not of off on one only or other our out over own perfect quite rather really same should
    since so some somebody someone something sort still such suit taste than that the then there these
    this those through to together too under until up upon very was way we well were what when where which while
    who whose why will with without world would you your
    choice choose event film give group item movie person pick product route similar story tag tell try
    """.split()
)
_ABOUT_USER = frozenset("can could enjoy like love may might should will would".split())
_OF_ANY_USER = frozenset("choice interest next own taste".split())
"""What may follow `you` and `your` without evidence: that something may please them, and suit their taste."""

_COMMON_CHINESE = frozenset(
    """
    的 了 过 和 与 也 都 很 会 想 爱 这 那 部 个 款 本 首 件 它 他 她 们 是 在 有 一 还 更 不 为 对 让 把 给 从 到 等 中
    里 上 下 来 去 就 又 再 请 吧 呢 而 并 且 或 因 所 以 能 该 要 同 被 将 看 你 您 天 前
    因为 所以 可能 可以 也许 应该 喜欢 适合 推荐 同样 类似 相似 口味 兴趣 选择 值得 试试 看看 或许 正好 符合 满足 之前
    最近 刚刚 电影 影片 商品 产品 作品 物品 东西 活动 路线 标签 小组
    """.split()
)
_ABOUT_USER_CHINESE = ("可能", "会", "也许", "或许", "应该", "可以", "喜欢", "想", "的口味", "的兴趣")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"

_MARKUP = re.compile(r"[<>*#`{}\[\]|\\_]|https?:|www\.|@", re.IGNORECASE)
_ACTIVE = re.compile(r"[<>`]|https?:|www\.", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+(?:['’-][^\W{_HAN}]+)*")
_OF_USER = re.compile(r"\b(you|your)(?:['’]\w+)?\s+(\w+)", re.IGNORECASE)
_OF_USER_CHINESE = re.compile(r"[你您]((?:\d+|的)?\w{1,3})")
_CHINESE = re.compile(rf"[{_HAN}]+")
_SENTENCE = re.compile(r"(.*?(?:[.!?](?=\s|$)|[。！？]))", re.DOTALL)


@dataclass(frozen=True)
class Facts:
    """What a sentence may draw on.

    `evidence` and `item` are texts; `about` holds, for each piece of evidence, the words that cite it.
    `names` are titles, categories and attributes that it may say only if they are in there; `instructions` is
    the system prompt, which must not leak into a reason; `language` is the one that was asked for.
    """

    evidence: Sequence[str]
    about: Sequence[str]
    item: Sequence[str]
    names: Sequence[Names]
    instructions: str
    language: Language = "en"

    @cached_property
    def known(self) -> str:
        """Everything that it may draw on."""
        return " \n ".join([*self.evidence, *self.item])

    @cached_property
    def plain(self) -> str:
        """The same in plain words, with spaces around each."""
        return f" {_plain(self.known)} "


class Names:
    """Titles and the like, found by the first word of each: a sentence is short, a catalogue has thousands."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_first: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name in dict.fromkeys(names):
            if plain := _plain(name):
                self._by_first[plain.partition(" ")[0]].append((plain, name))

    def said(self, sentence: str) -> Iterator[tuple[str, str]]:
        """Those that a sentence says, in plain words and as they are written.

        Of one word: only as it is written, and not at the beginning, since many are everyday words.
        """
        plain = f" {_plain(sentence)} "
        words = set(_WORD.findall(sentence)[1:])
        for first in dict.fromkeys(plain.split()):
            for name, written in self._by_first.get(first, ()):
                if f" {name} " in plain if " " in name else written in words:
                    yield name, written


@lru_cache(maxsize=16)
def names_of(categories: tuple[str, ...]) -> Names:
    """The categories of a catalogue, which stay the same from request to request."""
    return Names(categories)


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
        _form(sentence, facts)
        or _numbers(sentence, facts)
        or _names(sentence, facts)
        or _words(sentence, facts)
        or _characters(sentence, facts)
        or _user(sentence, facts)
        or _citation(sentence, facts)
    )


def _form(sentence: str, facts: Facts) -> str | None:
    words = _plain(sentence).split()
    if len(words) < _FEWEST_WORDS:
        return "it is no sentence"
    if not sentence.endswith((".", "!", "?", "。", "！", "？")):
        return "it has no end"
    if len(sentence) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if found := _MARKUP.search(_without_titles(sentence, facts, _MARKUP)):
        return f"it contains {found.group()!r}"
    told = f" {_plain(facts.instructions)} "
    echoes = (" ".join(words[start : start + _ECHO_WORDS]) for start in range(len(words) - _ECHO_WORDS + 1))
    return "it repeats the instructions" if any(f" {echo} " in told for echo in echoes) else None


def _numbers(sentence: str, facts: Facts) -> str | None:
    known = set(_NUMBER.findall(facts.known))
    unknown = [number for number in _NUMBER.findall(sentence) if number not in known]
    return f"the number {unknown[0]} is not in the evidence" if unknown else None


def _names(sentence: str, facts: Facts) -> str | None:
    said = (name for names in facts.names for name in names.said(sentence))
    unknown = next((written for name, written in said if f" {name} " not in facts.plain), None)
    return f"the name {unknown!r} is not in the evidence" if unknown else None


def _words(sentence: str, facts: Facts) -> str | None:
    """Words with spaces around them; in a Chinese sentence all of these come from the evidence."""
    common = _common_roots() if facts.language == "en" else frozenset()
    known = {_root(word) for word in facts.plain.split()} | common
    words = (word for word in _plain(sentence).split() if not _CHINESE.match(word))
    unknown = [word for word in words if _root(word) not in known]
    return f"the word {unknown[0]!r} is not in the evidence" if unknown else None


def _characters(sentence: str, facts: Facts) -> str | None:
    """Chinese characters; an English sentence has only those of titles and names."""
    common = _COMMON_CHINESE if facts.language == "zh" else frozenset()
    known = {pair for run in _CHINESE.findall(facts.known) for pair in _parts(run, 2)} | common
    runs = _CHINESE.findall(sentence)
    if facts.language == "zh" and not runs:
        return "it is not in Chinese"
    for run in runs:
        borne_out = {
            place + at
            for size in (1, 2)
            for place, part in enumerate(_parts(run, size))
            if part in known
            for at in range(len(part))
        }
        for place, character in enumerate(run):
            if place not in borne_out:
                return f"the character {character!r} is not in the evidence"
    return None


def _parts(run: str, size: int) -> list[str]:
    """Neighbouring characters; a shorter run is its own only part."""
    return [run[place : place + size] for place in range(max(1, len(run) - size + 1))]


def _user(sentence: str, facts: Facts) -> str | None:
    """What is said of the user must be said as often in the evidence."""
    evidence = " ".join(facts.evidence)
    proven = _said_of_user(_without_titles(evidence, facts, _OF_USER))
    for who, word in _said_of_user(_without_titles(sentence, facts, _OF_USER)):
        if (who, word) in proven:
            proven.remove((who, word))
        elif word not in (_ABOUT_USER if who == "you" else _OF_ANY_USER):
            return f"'{who} {word}' is not in the evidence"
    known = _OF_USER_CHINESE.findall(_without_titles(evidence, facts, _OF_USER_CHINESE))
    for said in _OF_USER_CHINESE.findall(_without_titles(sentence, facts, _OF_USER_CHINESE)):
        if said in known:
            known.remove(said)
        elif not said.startswith(_ABOUT_USER_CHINESE):
            return f"'你{said}' is not in the evidence"
    return None


def _citation(sentence: str, facts: Facts) -> str | None:
    said = set(_plain(sentence).split())
    cited = (set(_plain(about).split()) for about in facts.about)
    return None if any(about <= said for about in cited) else "it cites none of the evidence"


def _without_titles(text: str, facts: Facts, taken_for: re.Pattern[str]) -> str:
    """A text without those titles it may name that would be taken for something else.

    M*A*S*H is no markup, and While You Were Sleeping says nothing of anybody. A title that a browser could take for
    more than text stays.
    """
    for title in sorted({*facts.about, *facts.item[:1]}, key=len, reverse=True):
        if taken_for.search(title) and not _ACTIVE.search(title):
            text = text.replace(title, " … ")
    return text


def _said_of_user(text: str) -> list[tuple[str, str]]:
    """What follows each `you` and `your`."""
    return [(who.casefold(), word.casefold()) for who, word in _OF_USER.findall(text)]


def _plain(text: str) -> str:
    """Words in lower case, without possessive endings, one space apart."""
    return " ".join(word.casefold().removesuffix("'s").removesuffix("’s") for word in _WORD.findall(text))


@cache
def _common_roots() -> frozenset[str]:
    return frozenset(map(_root, _COMMON))


def _root(word: str) -> str:
    for ending in ("ing", "ied", "ies", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.rstrip("y") if len(word) > 2 else word
