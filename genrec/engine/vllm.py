"""vLLM in this process: `AsyncLLM`, with its engine core in a child process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import sys
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from genrec.engine.base import Chunk, LabelScores, Messages, Sampling, begins_answer, collect
from genrec.engine.gate import Gate
from genrec.engine.hardware import cpu_dtype, cpu_threads, has_gpu, misfit_packages
from genrec.errors import EngineBusy, EngineError, ModelError
from genrec.types import Usage

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork would copy the caller's threads' locks, held or not
}
_CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "2",
    # Eager mode compiles nothing, but for one helper of label scoring, which costs 17 s and a C++ compiler.
    "TORCHDYNAMO_DISABLE": "1",
    # On one machine vLLM would run the model in a process of its own, for which the engine core waits in a busy
    # loop, on a core that the model needs: with this off, and `uni` below, the core runs it itself.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "OMP_NUM_THREADS": str(cpu_threads()),
}
_CPU_BLOCK = 32
"""Tokens in a block of the prefix cache, which holds whole blocks only; vLLM takes 128 on CPUs unless told."""
_RANKS = (8, 16, 32, 64)
"""Of adapters that vLLM makes room for."""
_ADAPTERS = 2
"""At once: one that ranks, and one whose place it took while requests still run by that. vLLM gets room for one more:
on a CPU it adds what is in the last place to prompts that are asked without an adapter beside others that are asked
with one (vllm-project/vllm#48421), and nothing ever is in that place."""
_TOKENISED = 512
"""Prompts whose tokens are kept: counted for the budget, scored, and asked again."""

_Frozen = tuple[tuple[str, str], ...]
"""Role and content of each message."""


class VllmEngine:
    """One model on this machine: without compilation on a CPU, with vLLM's own choices on a GPU.

    All methods must be awaited on the event loop that `start` ran on. The engine ends with that loop's thread.
    `vllm` is vLLM's own AsyncLLM, for measuring against it.
    """

    def __init__(self, engine: Any, model: str, max_tokens: int) -> None:
        self.vllm = engine
        self._model = model
        self._adapters: dict[str, Any] = {}
        self._max_tokens = max_tokens
        self._tokenizer = engine.get_tokenizer()
        self._label_ids: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._gate = Gate()
        self._tokenised = lru_cache(_TOKENISED)(self._tokenise)
        self._stop = weakref.finalize(self, _stop, engine)

    @classmethod
    async def start(cls, folder: Path, *, name: str, max_tokens: int = 4096, rank: int = 0) -> Self:
        """Load the model in `folder`; about half a minute on a CPU.

        `rank`: the highest of adapters that it makes room for; 0 makes none.

        Raises:
            EngineError: vLLM is missing or does not start; the message says what it said.
        """
        for key, value in machine_environment().items():
            os.environ.setdefault(key, value)
        try:
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except (ImportError, RuntimeError) as error:
            raise EngineError(why_not(error)) from error
        arguments = AsyncEngineArgs(
            model=str(folder),
            max_model_len=max_tokens,
            disable_log_stats=True,
            structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
            **machine_arguments(folder),
            **(_adapter_arguments(rank) if rank else {}),
        )
        try:
            with _child_as_main():
                engine = AsyncLLM.from_engine_args(arguments)
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError(f"vLLM does not start with model {name!r}: {_first_line(error)}") from error
        return cls(engine, name, max_tokens)

    @property
    def model(self) -> str:
        return self._model

    @property
    def root(self) -> str:
        return self._model

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None, adapter: str | None = None
    ) -> LabelScores:
        from vllm import SamplingParams

        lora = self._lora(adapter)
        ids = [self.label_id(label) for label in labels]
        settings = SamplingParams(max_tokens=1, temperature=0, logprob_token_ids=ids)
        *_, answer = [state async for state in self._run(messages, settings, cache_salt, lora)]
        if not answer.outputs[0].logprobs:
            raise EngineError("vLLM returned no log-probabilities")
        row = answer.outputs[0].logprobs[0]
        return LabelScores(
            {label: row[token].logprob for label, token in zip(labels, ids, strict=True)}, _usage(answer)
        )

    async def generate(
        self, messages: Messages, sampling: Sampling, *, adapter: str | None = None
    ) -> AsyncIterator[Chunk]:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        schema = StructuredOutputsParams(json=dict(sampling.schema)) if sampling.schema else None
        settings = SamplingParams(
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
            structured_outputs=schema,
            output_kind=RequestOutputKind.DELTA,
        )
        prompt = Usage()
        completion = 0
        async for answer in self._run(messages, settings, sampling.cache_salt, self._lora(adapter)):
            piece = answer.outputs[0]
            completion += len(piece.token_ids)
            prompt = prompt if prompt.prompt_tokens else _usage(answer)
            usage = prompt.model_copy(update={"completion_tokens": completion})
            yield Chunk(piece.text, piece.finish_reason, usage)

    def _lora(self, adapter: str | None) -> Any:
        if adapter is not None and adapter not in self._adapters:
            raise EngineError(f"adapter {adapter!r} is not loaded")
        return self._adapters[adapter] if adapter else None

    async def load_adapter(self, name: str, folder: Path) -> None:
        from vllm.lora.request import LoRARequest

        lora = LoRARequest(name, next(self._numbers), str(folder))
        try:
            await self.vllm.add_lora(lora)
        except Exception as error:  # as for requests
            raise EngineError(f"vLLM does not take adapter {name!r}: {_first_line(error)}") from error
        self._adapters[name] = lora

    async def has_adapter(self, name: str) -> bool:
        return name in self._adapters

    async def unload_adapter(self, name: str) -> None:
        if name not in self._adapters:
            return
        try:
            await self.vllm.remove_lora(self._adapters.pop(name).lora_int_id)
        except Exception as error:
            raise EngineError(f"vLLM does not let go of adapter {name!r}: {_first_line(error)}") from error

    async def count_tokens(self, messages: Messages) -> int:
        return len(self.tokens(messages))

    async def check(self) -> None:
        await collect(self.generate([{"role": "user", "content": "Hi"}], Sampling(max_tokens=1)))

    async def close(self) -> None:
        self._stop()

    def tokens(self, messages: Messages) -> list[int]:
        """Token ids, chat template included; a prompt that was seen lately is not tokenised again."""
        return self._tokenised(tuple((message["role"], message["content"]) for message in messages))

    def _tokenise(self, frozen: _Frozen) -> list[int]:
        messages = [{"role": role, "content": content} for role, content in frozen]
        tokens: list[int] = self._tokenizer.apply_chat_template(
            messages,
            add_generation_prompt=not begins_answer(messages),
            continue_final_message=begins_answer(messages),
            return_dict=False,
        )
        return tokens

    def label_id(self, label: str) -> int:
        """The label's token. Raises ModelError where the model needs several."""
        if label not in self._label_ids:
            tokens = self._tokenizer.encode(label, add_special_tokens=False)
            if len(tokens) != 1:
                raise ModelError(f"label {label!r} is {len(tokens)} tokens for model {self._model!r}, not one")
            self._label_ids[label] = tokens[0]
        return self._label_ids[label]

    async def _run(
        self, messages: Messages, settings: Any, cache_salt: str | None, lora: Any = None
    ) -> AsyncIterator[Any]:
        """One request. Leaving the loop early, or being cancelled, aborts it inside vLLM."""
        if not self._stop.alive:
            raise EngineError("the engine was closed: make a new recommender")
        prompt: dict[str, Any] = {"prompt_token_ids": self.tokens(messages)}
        if cache_salt:
            prompt["cache_salt"] = cache_salt
        try:
            async with self._gate.place():
                name = f"genrec-{next(self._numbers)}"
                async for answer in self.vllm.generate(prompt, settings, name, lora_request=lora):
                    yield answer
        except (asyncio.CancelledError, EngineBusy):
            raise
        except Exception as error:  # vLLM has no common base for what a request can raise
            raise EngineError(f"vLLM failed: {type(error).__name__}: {_first_line(error)}") from error


def machine_environment() -> dict[str, str]:
    """What vLLM reads from the environment on this machine; what the user set there stays."""
    return _ENVIRONMENT if has_gpu() else {**_ENVIRONMENT, **_CPU_ENVIRONMENT}


def machine_arguments(folder: Path) -> dict[str, Any]:
    """vLLM's arguments that depend on the hardware, for the model in `folder`; its own choices on a GPU."""
    if has_gpu():
        return {}
    return {
        "dtype": "bfloat16" if _is_packed(folder) else cpu_dtype(),
        "enforce_eager": True,
        "block_size": _CPU_BLOCK,
        "distributed_executor_backend": "uni",
    }


def _is_packed(folder: Path) -> bool:
    """Whether the weights have 4 bits: for such vLLM computes nothing in float32 on a CPU."""
    said = json.loads((folder / "config.json").read_bytes()).get("quantization_config") or {}
    return said.get("quant_method") in {"awq", "gptq"} or said.get("format") == "pack-quantized"


def _adapter_arguments(rank: int) -> dict[str, Any]:
    return {"enable_lora": True, "max_loras": _ADAPTERS + 1, "max_lora_rank": next(r for r in _RANKS if r >= rank)}


def _stop(engine: Any) -> None:
    """End the engine core. Once is enough: vLLM's own finalizer fails when the interpreter is on its way out."""
    engine.shutdown()
    engine.shutdown = lambda: None


def _usage(answer: Any) -> Usage:
    return Usage(
        prompt_tokens=len(answer.prompt_token_ids),
        cached_tokens=answer.num_cached_tokens or 0,
        completion_tokens=len(answer.outputs[0].token_ids),
    )


@contextlib.contextmanager
def _child_as_main() -> Iterator[None]:
    """Let the processes spawned meanwhile run `genrec.engine.child` where they would run the caller's script.

    vLLM spawns its engine core, and a spawned process imports the script that spawned it: without this, a
    user's script without `if __name__ == "__main__"` would start engines without end.
    """
    main = sys.modules["__main__"]
    kept: dict[str, Any] = {name: main.__dict__.pop(name) for name in ("__file__", "__spec__") if name in main.__dict__}
    main.__spec__ = importlib.util.find_spec("genrec.engine.child")
    try:
        yield
    finally:
        main.__dict__.update(kept)


def why_not(error: Exception) -> str:
    """The cure for an import that failed."""
    if cure := misfit_packages():
        return cure
    if isinstance(error, ModuleNotFoundError) and error.name == "vllm":
        extra = "gpu" if has_gpu() else "cpu"
        return f"vLLM is not installed: run pip install 'genrec[{extra}]', or name a server with --engine URL"
    return f"vLLM cannot be imported: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
