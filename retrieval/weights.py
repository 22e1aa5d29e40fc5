"""How much each signal counts: defaults, and what `genrec fit` wrote beside the data."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST = 10.0
_Weight = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]


class Weights(BaseModel):
    """The weight of each signal by its name, and how events count.

    The weights of all events of a request sum to 1 in absolute value, and so do those of its attributes and of
    its context. `step_decay` is what an event counts for each step back in the history, `half_life_days` how
    old it is when it counts half; `dislike` is how much an event that speaks against its item counts beside one that
    speaks for it: at 0 it is left out. The defaults serve a catalogue with or without behaviour.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    semantic: _Weight = 0.4
    lexical: _Weight = 0.3
    category: _Weight = 0.05
    together: _Weight = 0.5
    after: _Weight = 1.0
    popularity: _Weight = 0.03
    recent: _Weight = 0.02
    attribute: _Weight = 0.03
    context: _Weight = 0.03
    profile: _Weight = 0.1
    instruction: _Weight = 1.0
    instruction_words: _Weight = 0.5
    step_decay: float = Field(0.8, gt=0, le=1)
    half_life_days: float = Field(90.0, gt=0)
    dislike: float = Field(1.0, ge=0, le=1)


SIGNALS = tuple(name for name in Weights.model_fields if name not in {"step_decay", "half_life_days", "dislike"})
"""The names of all signals."""
