"""What is loaded as an adapter, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from eval.service.untrained import manifest_of
from genrec.errors import DataError, ModelError
from genrec.learn.adapter import Base, base_of, read_adapter, shapes, write_adapter
from genrec.learn.shape import Shape
from tests.genrec.learn.hostile import Harm, harms
from tests.genrec.learn.narrow import write_narrow_model

_SHAPE = Shape(rank=2, alpha=4, layers=1)
_HARMS = list(harms())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_narrow_model(tmp_path / "model")


@pytest.fixture
def base(model: Path) -> Base:
    return base_of("tiny", model)


@pytest.fixture
def written(tmp_path: Path, model: Path, base: Base) -> Path:
    """A good adapter."""
    draw = np.random.default_rng(3)
    tensors = {name: draw.normal(size=size).astype(np.float32) for name, size in shapes(_SHAPE, model).items()}
    said = manifest_of(base, _SHAPE, users=["ann"], weight=0.25)
    manifest = said.model_copy(update={"examples": {"training": 3}, "figures": {"validation loss": 2.25}})
    write_adapter(tmp_path / "adapter", tensors, manifest)
    return tmp_path / "adapter"


def test_a_good_one_is_read_as_it_was_written(written: Path, base: Base, model: Path) -> None:
    adapter, tensors = read_adapter(written, base, model)
    assert adapter.manifest.weight == 0.25
    assert adapter.model == f"tiny+{adapter.version}"
    assert len(adapter.version) == 12
    assert set(tensors) == set(shapes(_SHAPE, model))
    draw = np.random.default_rng(3)
    for name, size in shapes(_SHAPE, model).items():
        assert np.array_equal(tensors[name], draw.normal(size=size).astype(np.float32))


def test_who_is_in_it_is_found_by_id_and_read_by_nobody(written: Path, base: Base, model: Path) -> None:
    adapter, _ = read_adapter(written, base, model)
    assert adapter.manifest.saw("ann")
    assert not adapter.manifest.saw("bob")
    assert "ann" not in (written / "manifest.json").read_text()


@pytest.mark.parametrize(("harm", "reason"), [pytest.param(harm, word, id=name) for name, harm, word in _HARMS])
def test_a_hostile_one_is_refused_with_a_reason(
    written: Path, base: Base, model: Path, harm: Harm, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written.parent)
    harm(written)
    with pytest.raises(ModelError) as refused:
        read_adapter(written, base, model)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (written.parent / "pwned").exists()


def test_there_are_fifty_of_them() -> None:
    assert len(_HARMS) >= 50
    assert len({name for name, _, _ in _HARMS}) == len(_HARMS)


def test_a_base_is_known_by_every_byte(written: Path, base: Base, model: Path) -> None:
    save_file({"weight": np.zeros((2, 2), np.float32)}, model / "model.safetensors")
    with pytest.raises(ModelError, match="is for model 'tiny'"):
        read_adapter(written, base_of("tiny", model), model)


def test_none_is_written_over_another(written: Path, base: Base, model: Path) -> None:
    adapter, tensors = read_adapter(written, base, model)
    with pytest.raises(DataError, match="is there already"):
        write_adapter(written, tensors, adapter.manifest)
