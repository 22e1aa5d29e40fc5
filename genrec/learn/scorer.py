"""Prompts → what the network says about their labels, and writes behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genrec.engine import Tokens
from genrec.learn.examples import Prompt
from genrec.learn.frozen import Frozen
from genrec.learn.network import Network
from genrec.learn.sentences import Sentence
from genrec.learn.shape import Shape
from genrec.prompting import Messages
from genrec.ranking import LABELS
from genrec.statistics import Values


class Scorer:
    """A network with the tokenizer of its base, and a folder for what its frozen layers make of prompts."""

    def __init__(self, base: Path, shape: Shape, frozen: Path, seed: int = 0) -> None:
        """`base`: the folder of the base model. Raises ModelError for one that cannot be trained."""
        self.network = Network(base, shape, seed)
        self._tokens = Tokens(base)
        self._frozen = Frozen(frozen, self.network)
        self._labels = torch.tensor([self._tokens.label(label) for label in LABELS])

    def freeze(self, prompt: Prompt | Sentence) -> Tensor:
        """What the frozen layers make of a prompt, or of a whole sentence, on disk from then on: (length, width)."""
        rest = self._tokens.rest(prompt.rest) if isinstance(prompt, Sentence) else []
        return self._frozen.of([*self._tokens.ids(prompt.messages), *rest])

    def logits(self, prompts: Sequence[Prompt]) -> Tensor:
        """(prompts, most labels of any); -inf where a prompt has fewer labels."""
        counts = torch.tensor([prompt.labels for prompt in prompts], device=self.network.device)
        most = int(counts.max())
        found = self.network([self.freeze(prompt) for prompt in prompts], self._labels[:most])
        beyond = torch.arange(most, device=self.network.device) >= counts[:, None]
        return found.masked_fill(beyond, -torch.inf)

    def scores(self, prompts: Sequence[Prompt]) -> list[Values]:
        """Natural log-probability of each label among the labels of its prompt, as the network is now."""
        self.network.eval()
        with torch.no_grad():
            rows = (torch.log_softmax(self.logits([prompt])[0], dim=0)[: prompt.labels] for prompt in prompts)
            return [row.double().cpu().numpy() for row in rows]

    def losses(self, sentences: Sequence[Sentence]) -> Tensor:
        """The cross-entropy of the rest of each sentence behind its prompt, in nats a token: (sentences,)."""
        rests = [self._tokens.rest(sentence.rest) for sentence in sentences]
        return self.network.losses([self.freeze(sentence) for sentence in sentences], rests)

    def write(self, prompts: Sequence[Messages], most: int) -> list[str]:
        """What the network writes behind each prompt in at most so many tokens, as serving does at temperature 0."""
        tokens = [self._tokens.ids(prompt) for prompt in prompts]
        return [self._tokens.text(written) for written in self.network.write(tokens, most, self._tokens.end)]
