"""Sentences that a model wrote, kept for the next user with the same evidence."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence

from genrec.prompting import Messages
from retrieval.types import Item

_MOST = 20_000


class ReasonCache:
    """What the model said, by everything that it could see and that made it say so; the least used goes first.

    A sentence is kept as it was written: the check of whoever uses it still applies.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._texts: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, key: str) -> str | None:
        """The sentence, None where nobody asked for it."""
        if key in self._texts:
            self._texts.move_to_end(key)
        return self._texts.get(key)

    def keep(self, key: str, text: str) -> None:
        """Remember a sentence."""
        self._texts[key] = text
        self._texts.move_to_end(key)
        if len(self._texts) > self._most:
            self._texts.popitem(last=False)


def reason_key(evidence: Sequence[str], item: Item, prompt_version: str, model: str, messages: Messages) -> str:
    """Evidence, the item's version, the prompt's version, the model; `messages` holds the language and the rest."""
    said = [list(evidence), item.model_dump_json(), prompt_version, model, [dict(message) for message in messages]]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
