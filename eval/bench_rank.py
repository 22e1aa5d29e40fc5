"""How near ranking comes to the engine's limit: the same users and candidates, four ways, in one run.

64 users of MovieLens 100K, 20 candidates each, all asked at once:

- `engine`: bare vLLM on the same token ids, in the same engine: the limit.
- `labels`: `Recommender.arecommend`, the order of all candidates from one prefill.
- `json, all` and `json, 5`: one JSON answer with the order of all candidates, or of the five that are shown; both
  carry reasons, and cannot be had without.
- `labels, reasons`: the order and five reasons.
- `rank-llm` and `rank-llm, logits`: the package as it is, which writes the whole order, and reading it off one
  token. In an environment of its own (`requirements/rank-llm.txt`), with the same model and arguments.

The prefix cache is emptied before each of them, so only what users share is served from it.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from eval.bench import device
from genrec import Context, Recommender, runner
from genrec.config import Config
from genrec.engine import VllmEngine, resolve
from genrec.engine.base import Messages
from genrec.engine.vllm import machine_arguments, machine_environment
from genrec.errors import EngineError
from genrec.ranking import LABELS
from genrec.testing import ScriptedEngine
from genrec.types import Recommendation

_CANDIDATES, _SHOWN = 20, 5
_CONTEXT = Context.model_validate({"time": "1998-04-23T20:00"})
"""The day after the last event of MovieLens 100K."""
_RATIOS = {
    "labels_vs_engine": "engine",
    "labels_vs_json": "json, all",
    "labels_vs_json_shown": "json, 5",
    "labels_vs_rank_llm": "rank-llm",
    "labels_vs_rank_llm_logits": "rank-llm, logits",
}
Status = Callable[[str], None]


@dataclass
class Measured:
    """One way, over all rounds: seconds of each round, seconds until each answer was there, and tokens."""

    seconds: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    requests: int = 0
    prompt: int = 0
    cached: int | None = 0
    written: int = 0

    def per_second(self) -> list[float]:
        """Requests per second of each round."""
        each = self.requests / len(self.seconds)
        return [each / seconds for seconds in self.seconds]

    def row(self, name: str) -> dict[str, str]:
        """One line of the table."""
        speeds = self.per_second()
        ranked = sorted(self.latencies)
        return {
            "way": name,
            "requests/s": f"{median(speeds):.2f} ({min(speeds):.2f}-{max(speeds):.2f})",
            "tokens in": f"{self.prompt / self.requests:.0f}",
            "cached": "?" if self.cached is None else f"{self.cached / self.prompt:.0%}",
            "out": f"{self.written / self.requests:.0f}",
            "p50 s": f"{ranked[len(ranked) // 2]:.1f}",
            "p99 s": f"{ranked[min(len(ranked) - 1, round(0.99 * len(ranked)))]:.1f}",
        }


def compare(recommender: Recommender, users: int, rounds: int, rank_llm: Path | None, status: Status) -> dict[str, Any]:
    """Measure each way `rounds` times, in turns, after one round that is not counted."""
    if not isinstance(recommender.engine, VllmEngine):
        raise EngineError("bench-rank measures vLLM in this process: leave out --engine")
    bench = _Bench(recommender, recommender.engine, users)
    other = _RankLlm(rank_llm, bench, status) if rank_llm else None
    ways: dict[str, Callable[[Measured], None]] = {
        "engine": bench.engine,
        "labels": bench.way(_variant(recommender, explain=False), _SHOWN),
        "json, all": bench.way(_variant(recommender, strategy="json"), _CANDIDATES),
        "json, 5": bench.way(_variant(recommender, strategy="json"), _SHOWN),
        "labels, reasons": bench.way(_variant(recommender), _SHOWN),
    }
    if other:
        ways |= {"rank-llm": other.way(logits=False), "rank-llm, logits": other.way(logits=True)}
    measured = {name: Measured() for name in ways}
    bench.engine(Measured())
    for number in range(1, rounds + 1):
        for name, way in ways.items():
            status(f"round {number} of {rounds}: {name}")
            way(measured[name])
    if other:
        other.close()
    return {
        "device": device(),
        "model": recommender.engine.model,
        "users": users,
        "rounds": rounds,
        "rows": [found.row(name) for name, found in measured.items()],
        "ratios": _ratios(measured),
        "explaining": explaining(recommender, bench.user_ids[:12], status),
        "rank_llm": other.account if other else "not measured: no environment was given",
    }


def explaining(recommender: Recommender, user_ids: Sequence[str], status: Status) -> dict[str, float]:
    """Wall time of explaining five items and one, in turns, without the cache of reasons; medians in seconds."""
    found: dict[int, list[float]] = {1: [], _SHOWN: []}
    for user_id in user_ids:
        status(f"explaining for user {user_id}")
        for n, seconds in found.items():
            fresh = _variant(recommender)  # its cache of reasons is empty
            answer = fresh.recommend(user_id, n, context=_CONTEXT)
            seconds.append(answer.timings_ms.explain / 1000)
    one, five = median(found[1]), median(found[_SHOWN])
    return {"one_s": round(one, 2), "five_s": round(five, 2), "ratio": round(five / one, 2)}


def _ratios(measured: dict[str, Measured]) -> dict[str, float]:
    """Medians of requests per second: labels against each of the others."""
    speeds = {name: median(found.per_second()) for name, found in measured.items()}
    return {name: round(speeds["labels"] / speeds[other], 2) for name, other in _RATIOS.items() if other in speeds}


class _Bench:
    """The users, and what the model is asked for each of them."""

    def __init__(self, recommender: Recommender, engine: VllmEngine, users: int) -> None:
        self._engine = engine
        store = recommender.store
        self.user_ids = [user_id for user_id in store.user_ids if len(store.history(user_id)) > 1][:users]
        self.model, self.max_tokens = engine.model, engine.max_tokens
        plain = _variant(recommender, explain=False)
        self.prompts = [_prompt(plain, user_id) for user_id in self.user_ids]

    def engine(self, measured: Measured) -> None:
        """vLLM alone, on the token ids that the labels need."""
        runner.run(self._bare(measured))

    def way(self, recommender: Recommender, n: int) -> Callable[[Measured], None]:
        """Every user at once through a recommender."""

        def ask(measured: Measured) -> None:
            fresh = Recommender(
                recommender.store, recommender.retriever, recommender.pack, recommender.engine, recommender.config
            )
            calls = [lambda u=user_id: fresh.arecommend(u, n, context=_CONTEXT) for user_id in self.user_ids]
            answers = runner.run(self._timed(calls, measured))
            for answer in answers:
                _count(measured, answer)

        return ask

    async def _bare(self, measured: Measured) -> None:
        from vllm import SamplingParams

        engine = self._engine
        ids = [engine.label_id(label) for label in LABELS[:_CANDIDATES]]
        settings = SamplingParams(max_tokens=1, temperature=0, logprob_token_ids=ids)
        tokens = [engine.tokens(messages) for messages in self.prompts]

        async def one(number: int) -> Any:
            prompt = {"prompt_token_ids": tokens[number]}
            *_, last = [state async for state in engine.vllm.generate(prompt, settings, f"bare-{number}")]
            return last

        calls = [lambda n=number: one(n) for number in range(len(tokens))]
        for answer in await self._timed(calls, measured):
            measured.prompt += len(answer.prompt_token_ids)
            measured.cached = (measured.cached or 0) + (answer.num_cached_tokens or 0)
            measured.written += 1

    async def _timed(self, calls: Sequence[Callable[[], Awaitable[Any]]], measured: Measured) -> list[Any]:
        await self._engine.vllm.reset_prefix_cache()
        start = perf_counter()

        async def one(call: Callable[[], Awaitable[Any]]) -> Any:
            answer = await call()
            measured.latencies.append(perf_counter() - start)
            return answer

        answers = await asyncio.gather(*map(one, calls))
        measured.seconds.append(perf_counter() - start)
        measured.requests += len(calls)
        return list(answers)


def _count(measured: Measured, answer: Recommendation) -> None:
    measured.prompt += answer.usage.prompt_tokens
    measured.cached = (measured.cached or 0) + answer.usage.cached_tokens
    measured.written += answer.usage.completion_tokens


def _prompt(recommender: Recommender, user_id: str) -> list[Mapping[str, str]]:
    """The ranking prompt of a user, as the recommender makes it."""
    recorder = ScriptedEngine(max_tokens=recommender.engine.max_tokens)
    parts = recommender.store, recommender.retriever, recommender.pack, recorder, recommender.config
    Recommender(*parts).recommend(user_id, _SHOWN, context=_CONTEXT)
    return list(recorder.prompts[0])


def _variant(recommender: Recommender, **settings: Any) -> Recommender:
    """The same with a configuration of its own; the model has weight, so that nothing may be left out."""
    config = Config(candidates=_CANDIDATES, model_weight=0.5, deadline_s=3600, on_failure="raise", **settings)
    return Recommender(recommender.store, recommender.retriever, recommender.pack, recommender.engine, config)


class _RankLlm:
    """The other process, with the same lists."""

    def __init__(self, python: Path, bench: _Bench, status: Status) -> None:
        status("starting rank-llm")
        worker = Path(__file__).with_name("rank_llm_worker.py")
        self._process = subprocess.Popen(  # noqa: S603
            [str(python), str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
        )
        self.account: dict[str, Any] = {}
        self._requests = [_as_query(messages) for messages in bench.prompts]
        folder = resolve(bench.model, status)
        given = {
            "model": str(folder),
            "arguments": {**machine_arguments(folder), "max_model_len": bench.max_tokens},
            "environment": {**machine_environment(), "VLLM_LOGGING_LEVEL": "ERROR"},
            "window": _CANDIDATES,
            "requests": self._requests,
        }
        self._ask(given)

    def way(self, *, logits: bool) -> Callable[[Measured], None]:
        """All lists in one batch: each answer is there when the last one is."""

        def ask(measured: Measured) -> None:
            found = self._ask({"logits": logits})
            measured.seconds.append(found["seconds"])
            measured.latencies += [found["seconds"]] * len(self._requests)
            measured.requests += len(self._requests)
            measured.prompt += found["prompt_tokens"]
            measured.written += found["completion_tokens"]
            measured.cached = None
            self.account["logits" if logits else "written"] = {
                "lists": len(self._requests),
                "in the form that was asked for": found["well_formed"],
            }

        return ask

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=60)

    def _ask(self, line: dict[str, Any]) -> dict[str, Any]:
        if not self._process.stdin or not self._process.stdout:
            raise EngineError("rank-llm has no pipes")
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        for said in self._process.stdout:
            if said.startswith("RESULT "):
                answer: dict[str, Any] = json.loads(said.removeprefix("RESULT "))
                return answer
        raise EngineError(f"rank-llm ended with status {self._process.wait()}: its words are in the log")


def _as_query(messages: Messages) -> dict[str, Any]:
    """The words of our prompt as rank-llm takes them: the person is the query, candidates are passages."""
    text = messages[-1]["content"]
    items = list(re.finditer(r"^(.+) \[[A-Z]\]$", text, re.MULTILINE))
    return {"query": " ".join(text[: items[0].start()].split()), "items": [item[1] for item in items]}
