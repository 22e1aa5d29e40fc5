"""How many tokens a text has for a model, without running the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from genrec.engine.base import Messages, begins_answer
from genrec.errors import ModelError


class TokenCounter(Protocol):
    """Counts the tokens of prompts."""

    def of(self, messages: Messages) -> int:
        """What a prompt has, chat template included."""

    def of_texts(self, texts: Sequence[str]) -> list[int]:
        """What each text has for itself."""


class Tokens:
    """A model's tokenizer."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the model, as `resolve` gives it. Raises ModelError where it holds no `tokenizer.json`."""
        # Imported here: only those who write prompts count without an engine. AutoTokenizer would bring torch with it,
        # which takes seconds, to find out that it is this class.
        from transformers import PreTrainedTokenizerFast

        if not (folder / "tokenizer.json").exists():
            raise ModelError(f"{folder} holds no tokenizer.json: name a model that has one")
        self._folder = folder
        self._tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)

    def of(self, messages: Messages) -> int:
        """What a prompt has, chat template included."""
        return len(self.ids(messages))

    def ids(self, messages: Messages) -> list[int]:
        """The tokens of a prompt, chat template included."""
        found: list[int] = self._tokenizer.apply_chat_template(
            list(messages),
            add_generation_prompt=not begins_answer(messages),
            continue_final_message=begins_answer(messages),
            return_dict=False,
        )
        return found

    def label(self, label: str) -> int:
        """The token of a label. Raises ModelError where the model needs several."""
        tokens: list[int] = self._tokenizer.encode(label, add_special_tokens=False)
        if len(tokens) != 1:
            raise ModelError(f"label {label!r} is {len(tokens)} tokens for the model in {self._folder}, not one")
        return tokens[0]

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        found: int = self._tokenizer.eos_token_id
        return found

    def rest(self, text: str) -> list[int]:
        """The tokens of a text that ends an answer, its end included."""
        return [*self._tokenizer.encode(text, add_special_tokens=False), self.end]

    def text(self, tokens: Sequence[int]) -> str:
        """What a model wrote, without its end."""
        found: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return found

    def of_texts(self, texts: Sequence[str]) -> list[int]:
        """What each text has for itself."""
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
