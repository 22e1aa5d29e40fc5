"""A model that writes reasons for another one to learn from; nothing in it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from genrec.engine import Tokens, has_gpu
from genrec.engine.hardware import cpu_dtype
from genrec.errors import ModelError
from genrec.learn.greedy import continuations
from genrec.prompting import Messages


class Teacher:
    """Any causal language model that transformers reads, on the GPU where there is one; loaded when it has to write.

    Behind its own chat template, by its own tokens: it need not be of the family of what learns from it.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ModelError as `Tokens`."""
        self._folder, self._tokens = folder, Tokens(folder)

    def write(self, prompts: Sequence[Messages], most: int) -> list[str]:
        """What it writes behind each prompt in at most so many tokens. Raises ModelError where it cannot be loaded."""
        tokens = [self._tokens.ids(prompt) for prompt in prompts]
        return [self._tokens.text(written) for written in continuations(self._model, tokens, most, self._tokens.end)]

    @cached_property
    def _model(self) -> Any:
        logging.disable_progress_bar()
        device = "cuda" if has_gpu() else "cpu"
        dtype = torch.bfloat16 if has_gpu() or cpu_dtype() == "bfloat16" else torch.float32
        try:
            return AutoModelForCausalLM.from_pretrained(self._folder, dtype=dtype, device_map=device).eval()
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            cause = str(error).strip().splitlines()[0]
            raise ModelError(f"the teacher in {self._folder} cannot be loaded: {cause}") from error
