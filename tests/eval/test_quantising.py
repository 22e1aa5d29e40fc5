"""Quantised models: every weight is near what it was, and vLLM is told to compute as their kernels can."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from eval.quantising import quantise
from genrec.engine import default_model, has_gpu, resolve
from genrec.engine.hardware import cpu_dtype
from genrec.engine.vllm import machine_arguments


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "plain"
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=49152, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for path in resolve(default_model(), lambda _: None).glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize(("scheme", "steps"), [("int8", 255), ("int4", 15)])
def test_every_weight_is_within_half_a_step(scheme: str, steps: int, plain: Path, tmp_path: Path) -> None:
    quantise(plain, scheme, tmp_path / scheme)
    before = AutoModelForCausalLM.from_pretrained(plain).state_dict()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / scheme)
    model(torch.tensor([[1, 2, 3]]))  # the first call turns whole numbers back into weights
    after = model.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name].to(before[name].dtype))]
    assert len(changed) == 2 * 7
    for name in changed:
        off = (before[name] - after[name]).abs().max()
        assert 0 < off <= 1.001 * before[name].abs().max() / steps, name


@pytest.mark.skipif(has_gpu(), reason="what a GPU computes with is left to vLLM")
def test_four_bits_are_not_computed_with_in_float32(plain: Path, tmp_path: Path) -> None:
    for scheme in ("int8", "int4"):
        quantise(plain, scheme, tmp_path / scheme)
    dtypes = [machine_arguments(folder)["dtype"] for folder in (plain, tmp_path / "int8", tmp_path / "int4")]
    assert dtypes == [cpu_dtype(), cpu_dtype(), "bfloat16"]
