"""What the frozen layers make of prompts, on disk: computed once, and not again after a run was killed."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from genrec.learn.network import Network

_NAME = "hidden"


class Frozen:
    """A folder for one model, with a folder for each number of frozen layers, with a file for each prompt.

    A prompt of 350 tokens takes 0.8 MB with SmolLM2-135M. Where no layer is frozen nothing is kept. The folder may be
    removed at any time.
    """

    def __init__(self, folder: Path, network: Network) -> None:
        self._folder, self._network = folder / str(network.frozen_layers), network
        self._folder.mkdir(parents=True, exist_ok=True)

    def of(self, tokens: Sequence[int]) -> Tensor:
        """(length, width), float32."""
        if not self._network.frozen_layers:
            return self._network.freeze(tokens)
        path = self._folder / f"{hashlib.sha256(array('l', tokens).tobytes()).hexdigest()}.safetensors"
        if not path.exists():
            draft = path.with_suffix(".draft")
            save_file({_NAME: self._network.freeze(tokens).cpu()}, draft)
            draft.replace(path)
        return load_file(path)[_NAME]
