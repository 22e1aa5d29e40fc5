"""Learning from another model's reasons: from those that the check passes alone, and the manifest names the model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from genrec.cli import app
from genrec.engine import Tokens
from genrec.learn.examples import Examples
from genrec.learn.loading import Model
from genrec.learn.making import make_adapter
from genrec.learn.plan import Schedule
from genrec.learn.shelf import Shelf
from genrec.learn.teacher import Teacher
from tests.genrec.learn import training

_SCHEDULE = Schedule(epochs=1, batch=8, look=50)


@pytest.fixture
def teacher(tmp_path: Path, small_model: Path) -> Model:
    """It says a thing that the evidence bears out behind titles that end in 0 to 4, and another one behind others."""
    folder, tokens = tmp_path / "teacher", Tokens(small_model)
    follows: dict[int, int] = {}
    for digits, text in (("01234", " of the same kind."), ("56789", " from Mars.")):
        chain = tokens.rest(text)
        follows |= dict.fromkeys((tokens.label(digit) for digit in digits), chain[0])
        follows |= dict(pairwise(chain))
    shutil.copytree(small_model, folder)
    _parrot(follows).save_pretrained(folder)
    return training.model(folder)


def _parrot(follows: Mapping[int, int]) -> LlamaForCausalLM:
    """A network that writes behind each token the one that it is told; its layers add nothing."""
    config = LlamaConfig(
        vocab_size=49152, hidden_size=32, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.model.norm.weight.fill_(1)
        for place, (token, following) in enumerate(follows.items()):
            model.model.embed_tokens.weight[token, place] = 1
            model.lm_head.weight[following, place] = 1
    return model


def _examples() -> Examples:
    """A few of those that others train on, with reasons of theirs that were kept, too."""
    found = training.examples()
    some = {part: getattr(found, part)[:8] for part in ("training", "validation", "gate", "kept")}
    return replace(found, **some)


def test_it_learns_what_the_check_passes_of_what_a_teacher_writes(
    tmp_path: Path, small_model: Path, teacher: Model, own_cache: Path
) -> None:
    examples = _examples()
    said = Teacher(teacher.folder).write([occasion.messages for occasion in examples.occasions], 40)
    fine = said.count(" of the same kind.")
    assert 0 < fine < len(said) == fine + said.count(" from Mars.")
    made = make_adapter(
        Shelf(tmp_path / "shelf"),
        training.model(small_model),
        [training.PACK],
        examples,
        training.SAMPLING,
        training.SHAPE,
        _SCHEDULE,
        teacher=teacher,
        status=lambda _: None,
    )
    assert made.manifest.reasons == {"teacher": fine}
    assert made.manifest.teacher == teacher.base
    assert made.manifest.base != teacher.base


def test_a_teacher_that_has_nothing_to_write_is_refused(small_model: Path, own_cache: Path) -> None:
    done = CliRunner().invoke(app, ["train", "run", "--data", "films", "--teacher", str(small_model), "--reasons", "0"])
    assert done.exit_code == 2
    assert "let --reasons be more than 0" in done.output
