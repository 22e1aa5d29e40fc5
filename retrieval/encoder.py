"""Text → vectors: one method, with sentence-transformers behind it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """What the retriever needs of an encoder."""

    @property
    def name(self) -> str:
        """Identifies the weights; vectors are cached under it."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (len(texts), d), float32, in the order of `texts`."""


class SentenceEncoder:
    """A sentence-transformers model from a local folder. Never runs code that comes with the weights."""

    def __init__(self, folder: Path, *, name: str, batch_size: int = 64) -> None:
        # The import takes seconds: only who encodes pays for it.
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # reading one local file is no progress worth showing
        self._name = name
        self._batch_size = batch_size
        self._one_at_a_time = threading.Lock()  # a fast tokenizer must not be shared by threads
        self._model = SentenceTransformer(str(folder), trust_remote_code=False, local_files_only=True)

    @property
    def name(self) -> str:
        return self._name

    def encode(self, texts: Sequence[str]) -> Vectors:
        with self._one_at_a_time:
            vectors = self._model.encode(
                list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1)
