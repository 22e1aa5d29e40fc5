"""Smaller and faster ways to serve beside the model itself: what each takes, how fast it is, and what it is worth.

All are asked for the same lists and reasons, of people whom no adapter saw; of these calls both speed and quality come.
Only one runs at a time, each in every round: a speed is compared with that of the model itself in the same round, since
other work on the machine may have changed it by the next. A speed is of prompt tokens that were not in the cache, or of
whole reasons, with 16 calls side by side.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from eval.method import Status
from eval.quantising import quantise
from genrec import runner
from genrec.engine import Adapted, Engine, Lora, Sampling, VllmEngine
from genrec.engine.base import collect
from genrec.errors import DataError, EngineError
from genrec.learn.adapter import read_manifest
from genrec.learn.examples import Examples
from genrec.learn.loading import Model, find_model, load_adapter
from genrec.learn.told import Told, tell
from genrec.ranking import LABELS
from genrec.statistics import Values, mean_of, paired
from genrec.weighing import ndcg

_SIDE_BY_SIDE = 16
_FIGURES = (
    "prefill tokens/s",
    "x the model's",
    "reasons/s",
    "x the model's ",
    "NDCG@10",
    "adds",
    "reasons passed",
    "rejected",
    "adds to passed",
)
_MEGABYTE = 1_000_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class Way:
    """A model to serve by, with an adapter or without."""

    name: str
    model: Model
    adapter: Lora | None = None

    @property
    def megabytes(self) -> float:
        """Of weights on disk."""
        folders = [self.model.folder, *([self.adapter.folder] if self.adapter else [])]
        return sum(file.stat().st_size for folder in folders for file in folder.glob("*.safetensors")) / _MEGABYTE


def ways(model: Model, schemes: Sequence[str], others: Sequence[str], out: Path, status: Status) -> list[Way]:
    """The model itself, quantised forms of it, which are written into `out` once, and other models."""
    found = [Way(Path(model.base.name).name, model)]
    for scheme in schemes:
        folder = out / f"{scheme}-{model.base.sha256[:12]}"
        if not folder.exists():
            status(f"writing {scheme}")
            quantise(model.folder, scheme, folder)
        found.append(Way(scheme, find_model(str(folder), status)))
    return found + [Way(Path(name).name, find_model(name, status)) for name in others]


def adapted(folder: Path, model: Model, examples: Examples) -> Way:
    """The model with an adapter. Raises DataError for one that saw somebody who is asked about."""
    lora = load_adapter(folder, model)
    if seen := sorted(filter(read_manifest(folder).saw, {example.user_id for example in examples.gate})):
        raise DataError(f"adapter {folder.name} saw user {seen[0]!r}, who is asked about: train one with seed 0")
    return Way(folder.name, model, lora)


class Answers(BaseModel):
    """What a way said in one round: log-probabilities of labels, by list, and texts of reasons; and how fast.

    `failed`: why it said nothing.
    """

    labels: list[list[float]] = []
    texts: list[str] = []
    prefill: float = 0.0
    written: float = 0.0
    failed: str | None = None


def measure(
    ways: Sequence[Way], examples: Examples, most: int, rounds: int, out: Path, status: Status
) -> dict[str, list[Answers]]:
    """What each way says in each round. What `out` holds of a round is not asked for again."""
    found: dict[str, list[Answers]] = {way.name: [] for way in ways}
    for number in range(1, rounds + 1):
        for way in ways:
            status(f"round {number} of {rounds}: {way.name}")
            found[way.name].append(_once(way, examples, most, number, out))
    return found


def table(ways: Sequence[Way], found: Mapping[str, Sequence[Answers]], examples: Examples) -> list[dict[str, str]]:
    """One row for each way; the first one is the model itself."""
    return [_row(way, found[way.name], found[ways[0].name], examples) for way in ways]


def _once(way: Way, examples: Examples, most: int, number: int, out: Path) -> Answers:
    """By what everything that decides the answers is called."""
    asked = [one.prompt.messages for one in examples.gate] + [one.messages for one in examples.held_back]
    said = json.dumps([way.model.base.sha256, way.adapter and way.adapter.name, most, asked])
    path = out / f"{way.name}-{hashlib.sha256(said.encode()).hexdigest()[:12]}-{number}.json"
    if not path.exists():
        path.write_text(runner.run(_tried(way, examples, most)).model_dump_json(), encoding="utf-8")
    return Answers.model_validate(json.loads(path.read_text(encoding="utf-8")))


async def _tried(way: Way, examples: Examples, most: int) -> Answers:
    try:
        engine = await VllmEngine.start(way.model.folder, name=way.name, rank=way.adapter.rank if way.adapter else 0)
        try:
            return await _asked(await Adapted.load(engine, way.adapter) if way.adapter else engine, examples, most)
        finally:
            await engine.close()
    except EngineError as error:
        return Answers(failed=str(error))


async def _asked(engine: Engine, examples: Examples, most: int) -> Answers:
    await engine.check()
    start = perf_counter()
    scored = await _side_by_side(
        lambda example: engine.score_labels(example.prompt.messages, LABELS[: example.prompt.labels]), examples.gate
    )
    between = perf_counter()
    told = await _side_by_side(
        lambda occasion: collect(engine.generate(occasion.messages, Sampling(max_tokens=most))), examples.held_back
    )
    end = perf_counter()
    read = sum(one.usage.prompt_tokens - one.usage.cached_tokens for one in scored)
    return Answers(
        labels=[list(one.logprobs.values()) for one in scored],
        texts=[one.text for one in told],
        prefill=read / (between - start),
        written=len(told) / (end - between),
    )


async def _side_by_side(ask: Callable[[Any], Awaitable[_T]], asked: Sequence[Any]) -> list[_T]:
    free = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(what: Any) -> _T:
        async with free:
            return await ask(what)

    return list(await asyncio.gather(*map(one, asked)))


def _row(way: Way, found: Sequence[Answers], base: Sequence[Answers], examples: Examples) -> dict[str, str]:
    if any(one.failed for one in found):
        return {"way": way.name, "MB": f"{way.megabytes:.0f}"} | dict.fromkeys(_FIGURES, "failed")
    gains, others = (_by_user(one[0], examples) for one in (found, base))
    pair = paired(gains, others)
    told = tell(examples.held_back, base[0].texts, found[0].texts)
    figures = (
        f"{median(one.prefill for one in found):.0f}",
        _ratios([one.prefill for one in found], [one.prefill for one in base]),
        f"{median(one.written for one in found):.2f}",
        _ratios([one.written for one in found], [one.written for one in base]),
        mean_of(gains).text(3),
        f"{pair.difference:+.3f} ({pair.low:+.3f} to {pair.high:+.3f})",
        f"{told.candidate['passed']} of {told.prompts}",
        str(told.candidate["rejected"]),
        _change(told),
    )
    return {"way": way.name, "MB": f"{way.megabytes:.0f}"} | dict(zip(_FIGURES, figures, strict=True))


def _by_user(answers: Answers, examples: Examples) -> Values:
    """The mean NDCG@10 of each user's lists."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for example, row in zip(examples.gate, answers.labels, strict=True):
        found[example.user_id].append(ndcg(np.array(row), example.taken, example.sought))
    return np.array([np.mean(gains) for gains in found.values()])


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median over rounds, and the least and the most."""
    found = [one / other for one, other in zip(ours, theirs, strict=True)]
    return f"{median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


def _change(told: Told) -> str:
    low, high = told.passed.interval
    return f"{told.passed.difference:+.0%} ({low:+.0%} to {high:+.0%})"
