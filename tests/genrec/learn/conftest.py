"""What tests of training share: a language model that is small, and reads and scores as a large one does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from genrec.engine import default_model, resolve


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four layers of 32 numbers, drawn at random, behind the tokenizer of the model that runs without a GPU."""
    folder = tmp_path_factory.mktemp("models") / "small"
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for path in resolve(default_model(), lambda _: None).glob("tokenizer*"):
        shutil.copy(path, folder)
    shutil.copy(resolve(default_model(), lambda _: None) / "chat_template.jinja", folder)
    return folder
