"""A language model with a LoRA adapter on its last layers, cut in two: what is frozen, and what is trained.

Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022. What the frozen layers make of a prompt never
changes, so it is computed once. Of the vocabulary only the labels are scored behind a prompt that ranks, and only
there; of a sentence every token that the model has to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from genrec.engine import has_gpu
from genrec.engine.hardware import cpu_dtype
from genrec.errors import ModelError
from genrec.learn.greedy import continuations
from genrec.learn.shape import TARGETS, Shape

_SLOT = ".default."
"""peft keeps adapters in named slots, whose name is no part of a tensor's name on disk."""


class Network(nn.Module):  # type: ignore[misc]  # torch is not looked into
    """A causal language model that scores labels and sentences, and writes: on the GPU where there is one.

    In bfloat16 where that is fast.

    `adapter` holds the trained parameters by their names on disk; before training they change nothing.
    """

    def __init__(self, folder: Path, shape: Shape, seed: int = 0) -> None:
        """`folder`: of the base model. Raises ModelError for a model with other layers than Llama and Qwen have."""
        super().__init__()
        logging.disable_progress_bar()
        torch.manual_seed(seed)  # peft draws the adapter's first half
        self.device = torch.device("cuda" if has_gpu() else "cpu")
        self._halved = self.device.type == "cuda" or cpu_dtype() == "bfloat16"
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        try:
            self._peft = get_peft_model(model, _lora(shape, model.config.num_hidden_layers)).to(self.device)
        except ValueError as error:
            raise ModelError(
                f"the model in {folder} has no layers {', '.join(TARGETS)}: take a Llama or Qwen"
            ) from error
        named = self._peft.named_parameters()
        self.adapter: Mapping[str, Tensor] = {n.replace(_SLOT, "."): p for n, p in named if p.requires_grad}
        decoder, head = model.model, model.get_output_embeddings()
        self.frozen_layers = max(0, len(decoder.layers) - shape.layers)
        self._lower = _part(decoder, decoder.layers[: self.frozen_layers])
        self._upper = _part(decoder, decoder.layers[self.frozen_layers :])
        self._norm, self._head = decoder.norm, head

    def freeze(self, tokens: Sequence[int]) -> Tensor:
        """What the frozen layers make of a prompt: (length, width), float32."""
        with torch.no_grad(), self._precision():
            found: Tensor = self._lower(torch.tensor([tokens], device=self.device), use_cache=False).last_hidden_state
        return found[0].float()

    def forward(self, prompts: Sequence[Tensor], labels: Tensor) -> Tensor:
        """The logit of each label behind each prompt that `freeze` has read: (prompts, labels). `labels` are tokens."""
        ends = torch.tensor([len(prompt) - 1 for prompt in prompts], device=self.device)
        with self._precision():
            last = self._norm(self._read(prompts)[torch.arange(len(prompts), device=self.device), ends])
            logits: Tensor = functional.linear(last, self._head.weight[labels.to(self.device)])
        return logits.float()

    def losses(self, texts: Sequence[Tensor], rests: Sequence[Sequence[int]]) -> Tensor:
        """The cross-entropy of the tokens that end each text that `freeze` has read, in nats a token: (texts,)."""
        found = []
        with self._precision():
            for row, text, rest in zip(self._read(texts), texts, rests, strict=True):
                said = self._norm(row[len(text) - len(rest) - 1 : len(text) - 1])
                logits = functional.linear(said, self._head.weight).float()
                found.append(functional.cross_entropy(logits, torch.tensor(rest, device=self.device)))
        return torch.stack(found)

    def write(self, prompts: Sequence[Sequence[int]], most: int, end: int) -> list[list[int]]:
        """The likeliest next token again and again behind each prompt, until `end` comes or `most` are written."""
        self.eval()
        with self._precision():
            return continuations(self._peft, prompts, most, end)

    def _read(self, texts: Sequence[Tensor]) -> Tensor:
        """What the trained layers make of texts, before the last norm: (texts, longest, width)."""
        # Padding stands behind a text, where causal attention never looks.
        padded = nn.utils.rnn.pad_sequence([text.to(self.device) for text in texts], batch_first=True)
        found: Tensor = self._upper(inputs_embeds=padded, use_cache=False).last_hidden_state
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put an adapter's parameters in place of the present ones."""
        with torch.no_grad():
            for name, parameter in self.adapter.items():
                parameter.copy_(tensors[name])

    def clear(self) -> None:
        """Be the base model."""
        self.load({name: torch.zeros_like(parameter) for name, parameter in self.adapter.items()})

    def _precision(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._halved)


def _lora(shape: Shape, depth: int) -> LoraConfig:
    return LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        target_modules=list(TARGETS),
        layers_to_transform=list(range(max(0, depth - shape.layers), depth)),
        layers_pattern="layers",
        task_type="CAUSAL_LM",
    )


def _part(decoder: Any, layers: nn.ModuleList) -> Any:
    """Some of a decoder's layers, without the norm behind the last one; all weights are shared."""
    with torch.device("meta"):
        part = type(decoder)(decoder.config)
    part.embed_tokens, part.rotary_emb = decoder.embed_tokens, decoder.rotary_emb
    part.layers, part.norm = layers, nn.Identity()
    return part
