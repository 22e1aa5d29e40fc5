"""An adapter for the engine that ranks with it: nothing goes there unchecked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genrec.engine import Lora, default_model, resolve
from genrec.learn.adapter import Base, base_of, read_adapter, read_manifest
from genrec.learn.shelf import NOTHING, Shelf
from genrec.parts import Status
from genrec.prompting import Pack


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


def load_adapter(folder: Path, model: Model) -> Lora:
    """An adapter for a model. Raises ModelError for what is not one, saying why."""
    adapter, _ = read_adapter(folder, model.base, model.folder)
    said = adapter.manifest
    return Lora(adapter.model, folder, said.shape.rank, said.weight, said.writes)


def adapter_in_production(data: Path, pack: Pack, model: str | None, status: Status, note: Status) -> Lora | None:
    """The adapter in production beside the data; None where there is none, or where it is for something else.

    `note` is told of one that is for another model or other prompts. Raises ModelError for one that is refused.
    """
    shelf = Shelf.beside(data)
    version = shelf.production
    if version == NOTHING:
        return None
    place, found = shelf.place(version), find_model(model, status)
    made = read_manifest(place)
    if made.base.sha256 != found.base.sha256:
        note(f"without adapter {version}: it is for {made.base.name}, not for {found.base.name}")
    elif made.prompts[0].version != pack.version:
        trained = f"{made.prompts[0].name}@{made.prompts[0].version}"
        note(f"without adapter {version}: it was trained on {trained}, not on {pack.name}@{pack.version}")
    else:
        return load_adapter(place, found)
    return None
