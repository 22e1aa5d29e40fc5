"""What training makes of a model, step by step: the machinery, on a network of random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eval import binding, transfer
from eval.phases import mean, over_the_rest
from eval.setting import Setting
from genrec.learn.adapter import read_adapter
from genrec.learn.examples import Example, Prompt, Sampling
from genrec.learn.reading import readings
from genrec.learn.shelf import Shelf
from genrec.prompting import load_pack
from retrieval import Item
from tests.genrec.learn import training
from tests.genrec.learn.conftest import small_model  # noqa: F401  # a fixture


def test_the_mean_of_adapters_adds_the_mean_of_what_they_add() -> None:
    draw = torch.Generator().manual_seed(3)
    names = [f"layers.0.q_proj.lora_{part}.weight" for part in "AB"]
    sizes = [(4, 6), (5, 4)]
    adapters = [
        {name: torch.randn(size, generator=draw) for name, size in zip(names, sizes, strict=True)} for _ in range(3)
    ]
    products = [adapter[names[1]] @ adapter[names[0]] for adapter in adapters]
    found = mean(adapters)
    assert found[names[0]].shape == (12, 6)
    assert torch.allclose(found[names[1]] @ found[names[0]], torch.stack(products).mean(dim=0), atol=1e-6)


def test_what_was_taken_is_preferred_to_the_rest_if_there_is_any() -> None:
    some, everything = (Example(Prompt([], 3), "ann", {}, None, (0.0,) * 3, taken, 3) for taken in ((1,), (0, 1, 2)))
    (found,) = over_the_rest([some, everything])
    assert found.left == (0, 2)


@pytest.mark.parametrize(("place", "line"), [("behind", "Heat [{}]"), ("in front", "{}. Heat")])
def test_letters_stand_where_they_are_put_and_one_item_is_asked_for(tmp_path: Path, place: str, line: str) -> None:
    items = [Item(item_id=str(n), title="Heat" if n == 3 else f"Film {n}") for n in range(12)]
    found = readings(items, binding.placed(load_pack("movies"), place, tmp_path), Sampling(candidates=10, readings=30))
    assert len(found) == 40 + 30
    asked = [e for e in found if "They ask for: Heat" in e.prompt.messages[-1]["content"]]
    assert asked
    for example in asked:
        assert line.format("ABCDEFGHIJ"[example.taken[0]]) in example.prompt.messages[-1]["content"].splitlines()


def test_what_was_learned_elsewhere_is_where_training_here_begins(
    tmp_path: Path,
    small_model: Path,  # noqa: F811
    own_cache: Path,
) -> None:
    """Judged at once and after no step that helps: each way is the network that it says."""
    shelf, model = Shelf(tmp_path / "shelf"), training.model(small_model)
    adapter, learned = read_adapter(shelf.place(training.make(shelf, small_model)), model.base, model.folder)
    schedule = training.SCHEDULE.model_copy(update={"epochs": 1, "rate": 1e-9, "warm_up": 0})
    setting = Setting(model, training.SAMPLING, training.SHAPE, schedule, training.PACK, tmp_path)
    found = transfer.measure(setting, adapter.version, learned, training.examples(), lambda _: None)
    base, elsewhere, read, here, both = found
    assert base["NDCG@10 alone"] == read["NDCG@10 alone"] == here["NDCG@10 alone"] != elsewhere["NDCG@10 alone"]
    assert elsewhere["NDCG@10 alone"] == both["NDCG@10 alone"]
