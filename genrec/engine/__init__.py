"""The language model behind one protocol: vLLM in this process, or a server over HTTP."""

from genrec.engine.adapted import Adapted
from genrec.engine.base import AdaptableEngine, Chunk, Engine, LabelScores, Lora, Sampling
from genrec.engine.hardware import DEFAULT_ENCODER, default_model, gpus, has_gpu, measured_weight, misfit_packages
from genrec.engine.http import HttpEngine
from genrec.engine.models import cache_folder, is_cached, resolve
from genrec.engine.tokens import TokenCounter, Tokens
from genrec.engine.vllm import VllmEngine

__all__ = [
    "DEFAULT_ENCODER",
    "AdaptableEngine",
    "Adapted",
    "Chunk",
    "Engine",
    "HttpEngine",
    "LabelScores",
    "Lora",
    "Sampling",
    "TokenCounter",
    "Tokens",
    "VllmEngine",
    "cache_folder",
    "default_model",
    "gpus",
    "has_gpu",
    "is_cached",
    "measured_weight",
    "misfit_packages",
    "resolve",
]
