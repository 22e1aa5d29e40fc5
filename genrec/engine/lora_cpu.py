"""What vLLM computes of adapters without a GPU, adapter by adapter instead of token by token.

vLLM 0.32 copies the matrix of an adapter for each of its tokens and multiplies by the copies. Here the tokens of one
adapter are multiplied by its matrix at once, which is many times as fast (`eval/LOG.md`). vLLM calls `install` in each
of its processes, as its entry point `vllm.general_plugins` asks for.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def install() -> None:
    """Let vLLM in this process compute so, if it has no GPU. Doing it again changes nothing."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.lora.ops.torch_ops import lora_ops
    from vllm.lora.punica_wrapper import punica_cpu

    for module in (lora_ops, punica_cpu):  # the latter has both by name, too
        module.bgmv_shrink = shrink
        module.bgmv_expand_slice = expand


def shrink(inputs: Tensor, matrices: Tensor, output: Tensor, places: Tensor, scaling: float = 1.0) -> None:
    """`output` (tokens, rank) = scaling · A · `inputs` (tokens, width), of the adapter in each token's place.

    `matrices`: A of every place, (places, 1, rank, width). A place below 0 is none.
    """
    for tokens, matrix in _by_adapter(matrices, places):
        output[tokens, : len(matrix)] = scaling * (inputs[tokens].to(output.dtype) @ matrix.to(output.dtype).T)


def expand(
    inputs: Tensor,
    matrices: Tensor,
    output: Tensor,
    places: Tensor,
    slice_offset: int,
    slice_size: int,
    add_inputs: bool = True,
) -> None:
    """A slice of `output` (tokens, width) += B · `inputs` (tokens, rank); without `add_inputs` it is set to that.

    `matrices`: B of every place, (places, 1, `slice_size`, rank). The names are vLLM's, which calls it by them.
    """
    part = output[:, slice_offset : slice_offset + slice_size]
    for tokens, matrix in _by_adapter(matrices, places):
        found = inputs[tokens].to(output.dtype) @ matrix.to(output.dtype).T
        part[tokens] = part[tokens] + found if add_inputs else found


def _by_adapter(matrices: Tensor, places: Tensor) -> Iterator[tuple[Tensor | slice, Tensor]]:
    """The tokens of each adapter, and its matrix."""
    found = torch.unique(places).tolist()
    for place in found:
        if place >= 0:
            tokens = places == place if len(found) > 1 else slice(None)
            yield tokens, matrices[place].reshape(matrices.shape[-2:])
