"""The sums of adapters by adapter are those that vLLM computes token by token."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
import torch
from vllm.lora.ops.torch_ops import lora_ops

from genrec.engine.lora_cpu import expand, install, shrink

_VLLMS = (lora_ops.bgmv_shrink, lora_ops.bgmv_expand_slice)


@pytest.mark.parametrize("places", [[1, 1, 1, 1, 1], [0, 2, 0, 1, 2]])
def test_tokens_of_adapters_get_what_vllm_gives_them(places: list[int]) -> None:
    draw = torch.Generator().manual_seed(5)
    inputs, down = torch.randn(5, 6, generator=draw), torch.randn(3, 1, 2, 6, generator=draw)
    up, before = torch.randn(3, 1, 4, 2, generator=draw), torch.randn(5, 9, generator=draw)
    found = []
    for smaller, larger in (_VLLMS, (shrink, expand)):
        narrow, wide = torch.zeros(5, 2), before.clone()
        smaller(inputs, down, narrow, torch.tensor(places), 2.0)
        larger(narrow, up, wide, torch.tensor(places), 3, 4, add_inputs=True)
        found.append((narrow, wide))
    for theirs, ours in zip(*found, strict=True):
        assert torch.allclose(theirs, ours, atol=1e-6)


def test_vllm_is_told_of_them() -> None:
    """An environment that was installed before has to be installed again: `make` does."""
    (found,) = (plugin for plugin in entry_points(group="vllm.general_plugins") if plugin.name == "genrec")
    assert found.load() is install


def test_tokens_without_an_adapter_get_nothing() -> None:
    narrow, wide = torch.zeros(2, 2), torch.ones(2, 4)
    places = torch.tensor([-1, 0])
    shrink(torch.ones(2, 6), torch.ones(2, 1, 2, 6), narrow, places)
    expand(narrow, torch.ones(2, 1, 4, 2), wide, places, 0, 4)
    assert narrow.tolist() == [[0, 0], [6, 6]]
    assert wide.tolist() == [[1, 1, 1, 1], [13, 13, 13, 13]]
