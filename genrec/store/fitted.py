"""What `genrec fit` found, beside the data that it was found on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, RootModel, ValidationError

from genrec.errors import DataError
from genrec.store.folder import first_problem
from retrieval.weights import Weights

_SIGNALS_FILE = "weights.json"
_MODELS_FILE = "model_weights.json"

_T = TypeVar("_T", bound=BaseModel)


class _ModelWeights(RootModel[dict[str, Annotated[float, Field(ge=0, le=1)]]]):
    """Each model's share in the fused score, by its name."""


def folder_weights(folder: Path) -> Weights | None:
    """The weights of signals that `genrec fit` wrote into the folder; None where it did not.

    Raises:
        DataError: the file is not what `genrec fit` writes.
    """
    return _read(folder / _SIGNALS_FILE, Weights)


def folder_model_weights(folder: Path) -> dict[str, float]:
    """The share in the fused score that `genrec fit --ranking` found for each model it was run with.

    Raises:
        DataError: the file is not what `genrec fit --ranking` writes.
    """
    found = _read(folder / _MODELS_FILE, _ModelWeights)
    return found.root if found else {}


def save_weights(folder: Path, weights: Weights) -> Path:
    """Write the weights of signals into the folder, whole or not at all. Raises DataError where the disk refuses."""
    return _save(folder / _SIGNALS_FILE, weights)


def save_model_weight(folder: Path, model: str, weight: float) -> Path:
    """Add one model's share to those in the folder. Raises DataError as the two functions that it is made of."""
    return _save(folder / _MODELS_FILE, _ModelWeights({**folder_model_weights(folder), model: weight}))


def _read(path: Path, kind: type[_T]) -> _T | None:
    if not path.exists():
        return None
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; `genrec fit` writes it anew") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}; `genrec fit` writes it anew") from error


def _save(path: Path, value: BaseModel) -> Path:
    try:
        draft = path.with_suffix(".draft")
        draft.write_text(value.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror}") from error
    return path
