"""The mean of adapters, exactly."""

from __future__ import annotations

import torch

from eval.phases import mean


def test_the_mean_of_adapters_adds_the_mean_of_what_they_add() -> None:
    draw = torch.Generator().manual_seed(3)
    names = [f"layers.0.q_proj.lora_{part}.weight" for part in "AB"]
    sizes = [(4, 6), (5, 4)]
    adapters = [
        {name: torch.randn(size, generator=draw) for name, size in zip(names, sizes, strict=True)} for _ in range(3)
    ]
    products = [adapter[names[1]] @ adapter[names[0]] for adapter in adapters]
    found = mean(adapters)
    assert found[names[0]].shape == (12, 6)
    assert torch.allclose(found[names[1]] @ found[names[0]], torch.stack(products).mean(dim=0), atol=1e-6)
