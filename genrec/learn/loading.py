"""An adapter for the engine that ranks with it: nothing goes there unchecked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genrec.engine import Lora, default_model, resolve
from genrec.learn.adapter import Base, base_of, read_adapter
from genrec.parts import Status


@dataclass(frozen=True)
class Model:
    """A base model: what it is, and where its files are."""

    base: Base
    folder: Path


def find_model(name: str | None, status: Status) -> Model:
    """A model by its name, or what suits the machine. Raises ModelError as `resolve`."""
    name = name or default_model()
    folder = resolve(name, status)
    return Model(base_of(name, folder), folder)


def load_adapter(folder: Path, model: Model) -> tuple[Lora, float]:
    """An adapter for a model, and its weight in the fused score. Raises ModelError for what is not one, saying why."""
    adapter, _ = read_adapter(folder, model.base, model.folder)
    said = adapter.manifest
    return Lora(adapter.model, folder, said.shape.rank, said.writes), said.weight
