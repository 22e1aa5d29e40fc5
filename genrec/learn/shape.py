"""The shape of an adapter: which layers of which model it changes, and by how much."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers that an adapter changes, by the names that Llama and Qwen models give them."""
MOST_RANK = 64


class Shape(BaseModel):
    """`layers`: how many of the model's last layers are trained. `alpha` / `rank` scales what the adapter adds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, ge=1, le=MOST_RANK)
    alpha: int = Field(default=32, ge=1, le=4 * MOST_RANK)
    layers: int = Field(default=16, ge=1, le=1000)
    dropout: float = Field(default=0.05, ge=0, lt=1)
