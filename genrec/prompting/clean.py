"""Text of catalogues and users is data: nothing in it may act as markup of a chat or a prompt."""

from __future__ import annotations

import re
import unicodedata

# <|im_start|>, [INST], <s>, </think> and the like: what chat templates and models read as control.
_CHAT_TOKENS = re.compile(
    r"<\|[^|<>]{0,40}\|>|\[/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS)\]|<</?SYS>>|</?(?:s|think|bos|eos|pad|unk"
    r"|start_of_turn|end_of_turn)>",
    re.IGNORECASE,
)
_DROPPED = {
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
}  # control, format (zero width, bidi), surrogates, private, unassigned


def clean(text: str, limit: int = 300) -> str:
    """One line of plain text: NFKC, no control, zero-width or bidi characters, no chat tokens, at most `limit`.

    A cut is marked with `…` and made between words where there is one.
    """
    text = unicodedata.normalize("NFKC", text[: 20 * limit])
    text = "".join(
        " " if char in "\t\n\r\v\f" else char
        for char in text
        if char in "\t\n\r\v\f" or unicodedata.category(char) not in _DROPPED
    )
    while (without := _CHAT_TOKENS.sub("", text)) != text:
        text = without  # taking one out may have joined another
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip(" ,.;:") + "…"
