"""The table of smaller ways: speeds are compared round by round, quality over the same users, and a failure says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.service.untrained import manifest_of
from eval.smaller import Answers, Way, adapted, table
from genrec.errors import DataError
from genrec.learn.adapter import Base, base_of, shapes, write_adapter
from genrec.learn.examples import Example, Examples, Prompt
from genrec.learn.loading import Model
from genrec.learn.shape import Shape
from tests.genrec.learn import training
from tests.genrec.learn.narrow import write_narrow_model


def _answers(examples: Examples, *, right: bool, fine: bool, speed: float) -> Answers:
    """What was taken first or last in every list, and reasons that all pass or are all rejected."""
    gains = [[float((place in one.taken) == right) for place in range(one.prompt.labels)] for one in examples.gate]
    texts = [" of the same kind." if fine else " from Mars."] * len(examples.held_back)
    return Answers(labels=gains, texts=texts, prefill=speed, written=speed / 10)


def test_each_way_is_held_against_the_model_in_the_same_round(tmp_path: Path, own_cache: Path) -> None:
    found = training.examples()
    examples = replace(found, gate=found.gate[:12], held_back=found.held_back[:12])
    model = Model(Base(name="m", sha256="0" * 64), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(bytes(3_000_000))
    ways = [Way("model", model), Way("fast", model), Way("none", model)]
    slow, quick = (_answers(examples, right=True, fine=True, speed=speed) for speed in (100, 1000))
    worse = _answers(examples, right=False, fine=False, speed=300)
    answers = {
        "model": [slow, quick],
        "fast": [worse, worse.model_copy(update={"prefill": 2000.0})],
        "none": [Answers(failed="vLLM does not start")] * 2,
    }
    itself, fast, none = table(ways, answers, examples)
    assert itself["MB"] == fast["MB"] == "3"
    assert itself["x the model's"] == "1.00 (1.00-1.00)"
    assert fast["x the model's"] == "2.50 (2.00-3.00)"
    assert fast["x the model's "] == "1.65 (0.30-3.00)"
    assert itself["adds"].startswith("+0.000")
    assert fast["adds"].startswith("-0.")
    assert (itself["reasons passed"], fast["reasons passed"], fast["rejected"]) == ("12 of 12", "0 of 12", "12")
    assert none["NDCG@10"] == "failed"


@pytest.mark.parametrize("saw", ["u0", "nobody"])
def test_no_adapter_is_asked_about_whom_it_saw(saw: str, tmp_path: Path) -> None:
    folder = write_narrow_model(tmp_path / "model")
    model, shape = Model(base_of("tiny", folder), folder), Shape(rank=2, alpha=4, layers=1)
    manifest = manifest_of(model.base, shape, users=[saw])
    write_adapter(
        tmp_path / "adapter",
        {name: np.zeros(size, np.float32) for name, size in shapes(shape, folder).items()},
        manifest,
    )
    example = Example(Prompt([], 2), "u0", {}, None, (1.0, 0.0), (0,), sought=1)
    examples = Examples((), (), [example])
    if saw == "nobody":
        assert adapted(tmp_path / "adapter", model, examples).adapter is not None
    else:
        with pytest.raises(DataError, match="adapter adapter saw user 'u0', who is asked about"):
            adapted(tmp_path / "adapter", model, examples)
