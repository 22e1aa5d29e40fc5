"""A model folder in, a smaller one out: weights rounded to the nearest of few numbers, as vLLM reads them.

Nothing is calibrated (GPTQ and AWQ do, with a library of their own): every weight matrix but that of the embeddings and
of the output is written as whole numbers and scales.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    apply_quantization_config,
)
from compressed_tensors.quantization.utils import calculate_qparams, is_module_quantized
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

_TARGETS = ["Linear"]
_LEFT = ["lm_head"]
SCHEMES: Mapping[str, QuantizationScheme] = {
    "int8": QuantizationScheme(
        targets=_TARGETS,
        weights=QuantizationArgs(num_bits=8, strategy="channel"),
        input_activations=QuantizationArgs(num_bits=8, strategy="token", dynamic=True),
    ),
    "int4": QuantizationScheme(targets=_TARGETS, weights=QuantizationArgs(num_bits=4, strategy="group", group_size=32)),
}
"""int8: weights by a scale for each output, what goes in by one for each token. int4: weights, by 32 of an output."""


def quantise(folder: Path, scheme: str, smaller: Path) -> None:
    """Write the model in `folder`, by one of SCHEMES, into the new folder `smaller`, whole or not at all."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    apply_quantization_config(model, QuantizationConfig(config_groups={scheme: SCHEMES[scheme]}, ignore=_LEFT))
    for module in model.modules():
        if is_module_quantized(module):
            _scale(module)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    smaller.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=smaller.parent) as home:
        draft = Path(home) / "model"
        model.save_pretrained(draft)
        compressor.update_config(str(draft))
        AutoTokenizer.from_pretrained(folder).save_pretrained(draft)
        draft.rename(smaller)


def _scale(module: Any) -> None:
    """Set the scales, so that the largest number of each output, or of each group of it, is still written."""
    said: QuantizationArgs = module.quantization_scheme.weights
    weight: nn.Parameter = module.weight.detach()
    groups = weight.unflatten(-1, (-1, said.group_size)) if said.group_size else weight[:, None]
    module.weight_scale.data, module.weight_zero_point.data = calculate_qparams(groups.amin(-1), groups.amax(-1), said)
