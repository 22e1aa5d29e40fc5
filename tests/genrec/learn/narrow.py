"""A base model that is there for its adapters only: three narrow layers, and no words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_narrow_model(folder: Path) -> Path:
    """The files that an adapter is held against."""
    folder.mkdir()
    layers = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 3}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    (folder / "config.json").write_text(json.dumps({**layers, **heads}))
    save_file({"weight": np.ones((2, 2), np.float32)}, folder / "model.safetensors")
    return folder
