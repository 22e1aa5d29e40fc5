"""Training: what it learns, that it ends the same after a kill, and what its shortcuts change (nothing)."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from genrec.engine import Tokens
from genrec.errors import DataError, ModelError
from genrec.learn.adapter import TENSORS
from genrec.learn.checkpoint import Standing
from genrec.learn.choosing import Choosing
from genrec.learn.curves import Curves
from genrec.learn.examples import Example, Examples
from genrec.learn.plan import Plan, Schedule
from genrec.learn.preferring import Preferring
from genrec.learn.scorer import Scorer
from genrec.learn.sentences import Sentence
from genrec.learn.shape import Shape
from genrec.learn.shelf import Shelf
from genrec.learn.train import train
from genrec.ranking import LABELS
from tests.genrec.learn import training

_PREFERRING = Schedule(epochs=20, batch=8, rate=2e-2, preference_rate=2e-2, warm_up=0, look=4, patience=3)


def _start(shelf: Path, model: Path, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.genrec.learn.training", str(shelf), str(model)]
    environment = {**os.environ, "GENREC_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _saved(shelf: Path, phase: str = "choosing") -> dict[str, Any]:
    """The checkpoint of the only run."""
    (found,) = shelf.glob(f"runs/*/{phase}/checkpoint.pt")
    content: dict[str, Any] = torch.load(found, weights_only=True)
    return content


def _step(shelf: Path) -> int:
    """How far a run has been saved."""
    return int(_saved(shelf)["standing"]["step"])


@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_adapter(tmp_path: Path, small_model: Path) -> None:
    whole = _start(tmp_path / "whole", small_model, tmp_path / "cache")
    said, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0
    steps = _step(tmp_path / "whole")

    killed = _start(tmp_path / "killed", small_model, tmp_path / "cache")
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.startswith(f"training: step {steps // 2} "):
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 < _step(tmp_path / "killed") < steps
    assert Shelf(tmp_path / "killed").versions() == []

    again = _start(tmp_path / "killed", small_model, tmp_path / "cache")
    heard, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert not next(line for line in heard.splitlines() if line.startswith("training: ")).startswith(
        "training: step 0 "
    )
    version = said.split()[-1]
    assert heard.split()[-1] == version
    tensors = [(tmp_path / run / version / TENSORS).read_bytes() for run in ("whole", "killed")]
    assert tensors[0] == tensors[1]
    for phase in ("reading", "choosing", "preferring"):
        ends = [_saved(tmp_path / run, phase) for run in ("whole", "killed")]  # what is kept may be older than the kill
        assert ends[0]["standing"]["curve"] == ends[1]["standing"]["curve"]
        assert all(torch.equal(tensor, ends[1]["adapter"][name]) for name, tensor in ends[0]["adapter"].items())
        assert torch.equal(ends[0]["chance"], ends[1]["chance"])


def _plan(shape: Shape, schedule: Schedule) -> Plan:
    said = {"model": "small", "base": "", "prompts": (), "examples": "", "threads": 1}
    return Plan.model_validate({**said, "sampling": training.SAMPLING, "shape": shape, "schedule": schedule})


def _chosen(folder: Path, scorer: Scorer, examples: Examples, plan: Plan, told: Sequence[Sentence] = ()) -> Standing:
    aim = Choosing(scorer, examples, told, plan.schedule, lambda _: None)
    return train(plan.begin(folder / "runs") / "choosing", scorer.network, aim, plan)


def test_it_learns_by_heart_what_it_is_shown(tmp_path: Path, small_model: Path, own_cache: Path) -> None:
    few = training.examples().training[:8]
    shown = Examples(few, few, few)
    schedule = Schedule(epochs=60, batch=8, rate=2e-2, look=10, patience=10)
    shape = Shape(rank=8, alpha=16, layers=4, dropout=0)
    scorer = Scorer(small_model, shape, tmp_path / "frozen")
    plan = _plan(shape, schedule)
    standing = _chosen(tmp_path, scorer, shown, plan)
    losses = [point["validation loss"] for point in standing.curve]
    assert losses[0] == pytest.approx(math.log(4), abs=0.1)
    assert standing.best < losses[0] - 0.2
    assert _loss(scorer, few) == pytest.approx(standing.best)


def test_training_ends_when_validation_no_longer_betters_and_keeps_the_best(
    tmp_path: Path, small_model: Path, own_cache: Path
) -> None:
    """Validation where people take something else than those who are learned from."""
    few = training.examples().training[:8]
    others = [replace(example, taken=((example.taken[0] + 1) % 4,)) for example in few]
    schedule = Schedule(epochs=60, batch=8, rate=2e-2, warm_up=0, look=2, patience=3)
    scorer, plan = Scorer(small_model, training.SHAPE, tmp_path / "frozen"), _plan(training.SHAPE, schedule)
    standing = _chosen(tmp_path, scorer, Examples(few, others, few), plan)
    losses = [point["validation loss"] for point in standing.curve]
    assert standing.step == standing.at + 6 < 60
    assert losses[-1] > min(losses)
    assert _loss(scorer, others) == pytest.approx(min(losses))


def test_what_it_is_told_becomes_likely(tmp_path: Path, small_model: Path, own_cache: Path) -> None:
    """Nearly as likely as in a network whose logits, of 32 small numbers, are never more than 0.64."""
    few = training.examples()
    told = few.kept[:1]
    schedule = Schedule(epochs=30, batch=8, rate=2e-2, look=10, patience=50, reason_weight=2)
    shown, shape = Examples(few.training[:8], few.training[:8], ()), Shape(rank=8, alpha=16, layers=4, dropout=0)
    scorer, plan = Scorer(small_model, shape, tmp_path / "frozen"), _plan(shape, schedule)
    before = scorer.losses(told).item()
    _chosen(tmp_path, scorer, shown, plan, told)
    assert scorer.losses(told).item() < before - 0.4


def test_what_was_taken_comes_to_stand_over_what_was_left(tmp_path: Path, small_model: Path, own_cache: Path) -> None:
    few = training.examples().training[:8]
    scorer, plan = Scorer(small_model, training.SHAPE, tmp_path / "frozen"), _plan(training.SHAPE, _PREFERRING)
    before = _ahead(scorer, few)
    aim = Preferring(scorer, few, few, plan.schedule)
    standing = train(tmp_path / "run", scorer.network, aim, plan)
    assert standing.at > 0
    assert _ahead(scorer, few) > before + 0.1
    assert standing.figures["validation ndcg@10"] > standing.curve[0]["validation ndcg@10"]


def test_preferences_that_validation_does_not_bear_out_change_nothing(
    tmp_path: Path, small_model: Path, own_cache: Path
) -> None:
    """Validation where people take what those who are learned from leave."""
    few = training.examples().training[:8]
    others = [replace(example, taken=example.left[:1]) for example in few]
    scorer, plan = Scorer(small_model, training.SHAPE, tmp_path / "frozen"), _plan(training.SHAPE, _PREFERRING)
    before = {name: tensor.clone() for name, tensor in scorer.network.adapter.items()}
    standing = train(tmp_path / "run", scorer.network, Preferring(scorer, few, others, plan.schedule), plan)
    assert (standing.step > 0, standing.at) == (True, 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in scorer.network.adapter.items())


def _ahead(scorer: Scorer, examples: Sequence[Example]) -> float:
    """By how much what was taken is ahead of what was left, in nats."""
    scores = scorer.scores([example.prompt for example in examples])
    ahead = [row[list(e.taken)].mean() - row[list(e.left)].mean() for row, e in zip(scores, examples, strict=True)]
    return float(np.mean(ahead))


def _loss(scorer: Scorer, found: Sequence[Example]) -> float:
    scores = scorer.scores([example.prompt for example in found])
    return float(np.mean([-row[list(example.taken)].mean() for row, example in zip(scores, found, strict=True)]))


def test_training_that_diverges_says_so(tmp_path: Path, small_model: Path, own_cache: Path) -> None:
    schedule = Schedule(rate=1e9, warm_up=0, look=1)
    scorer, plan = Scorer(small_model, training.SHAPE, tmp_path / "frozen"), _plan(training.SHAPE, schedule)
    with pytest.raises(ModelError, match=r"training diverged .*: take a lower rate"):
        _chosen(tmp_path, scorer, training.examples(), plan)


def test_frozen_layers_and_few_labels_change_no_score(tmp_path: Path, small_model: Path, own_cache: Path) -> None:
    """Against the whole model, token by token, prompts of different lengths side by side."""
    prompts = [example.prompt for example in training.examples().gate[:3]]
    scorer = Scorer(small_model, Shape(layers=2), tmp_path / "frozen")
    scorer.network.eval()
    found = scorer.logits(prompts)
    plain = AutoModelForCausalLM.from_pretrained(small_model)
    tokens = Tokens(small_model)
    labels = [tokens.label(label) for label in LABELS[:4]]
    for prompt, row in zip(prompts, found, strict=True):
        with torch.no_grad():
            wanted = plain(torch.tensor([tokens.ids(prompt.messages)])).logits[0, -1, labels]
        assert torch.allclose(row.detach(), wanted, atol=1e-5)


def test_shortcuts_change_no_sentence(tmp_path: Path, small_model: Path, own_cache: Path) -> None:
    """Against the whole model, one text at a time: the loss over the rest alone, and what is written side by side."""
    told = [*training.examples().kept[:2], Sentence("ann", None, [{"role": "user", "content": "Why?"}], " Just so.")]
    scorer = Scorer(small_model, Shape(layers=2), tmp_path / "frozen")
    scorer.network.eval()
    plain = AutoModelForCausalLM.from_pretrained(small_model)
    tokens = Tokens(small_model)
    written = scorer.write([sentence.messages for sentence in told], 5)
    for sentence, loss, text in zip(told, scorer.losses(told), written, strict=True):
        prompt, rest = tokens.ids(sentence.messages), tokens.rest(sentence.rest)
        assert rest[-1] == tokens.end
        with torch.no_grad():
            logits = plain(torch.tensor([prompt + rest])).logits[0, len(prompt) - 1 : -1]
        assert torch.allclose(loss.detach(), functional.cross_entropy(logits, torch.tensor(rest)), atol=1e-5)
        said = list(prompt)
        for _ in range(5):
            with torch.no_grad():
                said.append(int(plain(torch.tensor([said])).logits[0, -1].argmax()))
        assert text == tokens.text(said[len(prompt) :])


def test_curves_for_wandb_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(DataError, match="wandb is not installed: run pip install wandb, or leave --wandb out"):
        Curves(tmp_path, {}, 0, wandb=True)
