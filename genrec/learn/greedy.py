"""The likeliest token again and again, behind some prompts side by side: what serving does at temperature 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig


def continuations(model: Any, prompts: Sequence[Sequence[int]], most: int, end: int) -> list[list[int]]:
    """The tokens behind each prompt, until `end` comes or `most` are written; padded with `end`.

    `model`: a causal language model of transformers, in `eval`.
    """
    length = max(map(len, prompts))
    padded = torch.tensor([[end] * (length - len(prompt)) + list(prompt) for prompt in prompts]).to(model.device)
    shown = torch.tensor([[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts]).to(model.device)
    settings = GenerationConfig(max_new_tokens=most, do_sample=False, eos_token_id=end, pad_token_id=end)
    with torch.no_grad():
        written = model.generate(input_ids=padded, attention_mask=shown, generation_config=settings)
    found: list[list[int]] = written[:, length:].tolist()
    return found
