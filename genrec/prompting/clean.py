"""Text of catalogues and users is data: nothing in it may act as markup of a chat or a prompt."""

from __future__ import annotations

import re
import unicodedata

_BRACKETED = (
    "INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|THINK|PREFIX|SUFFIX|MIDDLE"
    "|IMG|IMG_BREAK|IMG_END|AUDIO|gMASK|sMASK|MASK|BOS|EOS|EOT|PAD|UNK|CLS|SEP"
)
_CONTROL = re.compile(
    r"<[/|]?\w[^<>]{0,80}>"  # <s>, </think>, <|im_start|>, <turn|>, <0x0A>, and with them all tags
    r"|<\s?\|[^<>]{0,80}>"
    r"|<<\s?/?\s?SYS\s?>>"
    rf"|\[\s?/?\s?(?:{_BRACKETED})\s?\]"
    r"|\[\|[^\[\]]{0,40}\|\]"
    r"|#{2,}|<\||\|>",
    re.IGNORECASE,
)
"""What chat templates and models read as control. A film may be called [REC]: other brackets stay."""
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Control, format (zero width, bidi), surrogates, private, unassigned."""
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Fillers and variation selectors: letters and marks by their category, and nothing to the eye."""
_HARMLESS = re.compile(r"[\w ,.;:'\"!?()&/+%$*=@~-]*", re.ASCII)
"""Nothing that the rest of this looks for; most texts are such."""
_MOST_MARKS = 4
"""Combining marks on one letter; more are no writing of any language."""
_READ = 20
"""How many times its limit is read of a text."""


def clean(text: str, limit: int = 300) -> str:
    """One line of plain text: NFKC, no control, zero-width or bidi characters, no chat tokens, at most `limit`.

    A cut is marked with `…` and made between words where there is one.
    """
    text = text[: _READ * limit]
    text = " ".join(text.split()) if _HARMLESS.fullmatch(text) else _disarmed(text)
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip(" ,.;:") + "…"


def _disarmed(text: str) -> str:
    """A text without what is not seen and without what is control."""
    text = _visible(unicodedata.normalize("NFKC", _visible(text)))
    while (without := " ".join(_CONTROL.sub(" ", text).split())) != text:
        text = without  # taking one out may have joined another
    return text


def _visible(text: str) -> str:
    """What can be seen, on one line."""
    kept: list[str] = []
    marks = 0
    for char in _UNSEEN.sub("", text):
        shown, is_mark = _CHARACTERS[char]
        marks = marks + 1 if is_mark else 0
        if marks <= _MOST_MARKS:
            kept.append(shown)
    return "".join(kept)


class _Characters(dict[str, tuple[str, bool]]):
    """What is shown of a character, and whether it is a mark on the one before; looked up once for each."""

    def __missing__(self, char: str) -> tuple[str, bool]:
        dropped = unicodedata.category(char) in _DROPPED
        shown = " " if char.isspace() else "" if dropped else char
        self[char] = found = shown, bool(unicodedata.combining(char))
        return found


_CHARACTERS = _Characters()
