"""An adapter in the engine, and behaviour out of the database."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from eval.service.untrained import manifest_of, promote, stock
from genrec import Event, Item, Recommender, User
from genrec.cli import app
from genrec.engine import Adapted, Engine, Lora
from genrec.errors import ModelError
from genrec.explain import reason_messages
from genrec.learn.adapter import TENSORS, read_manifest, shapes, write_adapter
from genrec.learn.examples import Prompt
from genrec.learn.loading import adapter_in_production, find_model, load_adapter
from genrec.learn.scorer import Scorer
from genrec.learn.shape import Shape
from genrec.learn.shelf import Shelf
from genrec.learn.source import from_database
from genrec.parts import start_engine
from genrec.prompting import load_pack
from genrec.runner import run
from genrec.store.database import Database
from genrec.testing import FakeEncoder, ScriptedEngine
from genrec.types import Evidence, PromptVersion
from tests.conftest import FILMS, GENREC
from tests.genrec.store.database.conftest import answer


@pytest.mark.model
def test_vllm_ranks_and_writes_with_an_adapter_as_training_left_it(tmp_path: Path) -> None:
    """By the command, from the file to the scores in the trace and the sentence; the same prompts in the network that
    was trained."""
    model, shape, draw = find_model(None, lambda _: None), Shape(), np.random.default_rng(0)
    sizes = shapes(shape, model.folder).items()
    tensors = {name: (draw.normal(size=size) * 0.1).astype(np.float32) for name, size in sizes}
    said = manifest_of(model.base, shape, weight=0.25)
    manifest = said.model_copy(update={"reasons": {"base": 1}})
    write_adapter(tmp_path / "adapter", tensors, manifest)
    command = [*GENREC, "recommend", "--data", str(FILMS), "--user", "maya", "--n", "1", "--json"]
    said = subprocess.run(
        [*command, "--adapter", str(tmp_path / "adapter")], capture_output=True, text=True, check=True
    )
    found = json.loads(said.stdout)
    lora = load_adapter(tmp_path / "adapter", model)
    assert found["model"] == lora.name
    assert found["trace"]["model_weight"] == 0.25
    assert found["fallback"] is None

    engine = ScriptedEngine()
    with Recommender.from_folder(FILMS, engine=engine) as recommender:
        recommender.recommend("maya", 1)
        (shown,) = found["items"]
        evidence = [Evidence.model_validate(part) for part in shown["evidence"]]
        asked = reason_messages(recommender.pack, recommender.store.item(shown["item_id"]), evidence, "en")
    prompt = Prompt([dict(message) for message in engine.prompts[0]], 20)
    scorer = Scorer(model.folder, shape, tmp_path / "frozen")
    scorer.network.load({name: torch.tensor(numbers) for name, numbers in tensors.items()})
    (ours,) = scorer.scores([prompt])
    (text,) = scorer.write([asked], 40)
    scorer.network.clear()
    (base,) = scorer.scores([prompt])
    (plain,) = scorer.write([asked], 40)
    reason, refused = shown["reason"], found["trace"]["rejected_reasons"]
    said = reason["text"] if reason["source"] == "llm" else refused[0]["text"]
    assert (asked[-1]["content"] + text).startswith(said)
    assert not (asked[-1]["content"] + plain).startswith(said)
    by_label = {candidate["label"]: candidate["model_logprob"] for candidate in found["trace"]["candidates"]}
    theirs = np.array([by_label[label] for label in sorted(by_label)])
    theirs -= np.log(np.exp(theirs).sum())
    assert np.allclose(theirs, ours, atol=1e-3)
    assert abs(theirs - base).max() > 0.05


@pytest.mark.model
@pytest.mark.long
def test_what_is_asked_beside_adapters_is_answered_as_alone(tmp_path: Path) -> None:
    """With two adapters in the engine, and prompts without one and with either in the same batches."""
    model, shelf = find_model(None, lambda _: None), Shelf(tmp_path)
    loras = [load_adapter(shelf.place(stock(shelf, model, seed)), model) for seed in range(2)]
    messages = [{"role": "user", "content": "Choose a letter: A, B or C. " * 5}]
    numbers = itertools.count()

    async def work() -> None:
        base = await start_engine(None, None, lambda _: None, shelf.rank())
        try:

            async def ask(engine: Engine) -> list[float]:
                found = await engine.score_labels(messages, "ABC", cache_salt=str(next(numbers)))
                return [found.logprobs[label] for label in "ABC"]

            engines = [base, *[await Adapted.load(base, lora) for lora in loras]]
            alone = [await ask(engine) for engine in engines]
            beside = await asyncio.gather(*(ask(engine) for engine in engines * 4))
        finally:
            await base.close()
        assert np.allclose(beside, alone * 4, atol=1e-2)
        assert min(np.abs(np.subtract(*pair)).max() for pair in itertools.combinations(alone, 2)) > 0.1

    run(work())


def test_the_adapter_beside_the_data_ranks_where_it_is_in_production(tmp_path: Path, small_model: Path) -> None:
    """Only with the model and the prompts that it was trained on: others are told so, and nothing ranks with it."""
    model, shelf, notes = find_model(str(small_model), lambda _: None), Shelf.beside(tmp_path), list[str]()

    def found(pack: str, folder: Path = small_model) -> Lora | None:
        return adapter_in_production(tmp_path, load_pack(pack), str(folder), lambda _: None, notes.append)

    version = stock(shelf, model, 0, pack=load_pack("shop"))
    assert found("shop") is None
    assert notes == []
    promote(shelf, version)
    assert found("shop") == load_adapter(shelf.place(version), model)
    assert found("movies") is None
    other = shutil.copytree(small_model, tmp_path / "other")
    (other / "config.json").write_bytes((small_model / "config.json").read_bytes() + b" ")
    assert found("shop", other) is None
    assert [f"without adapter {version}" in note for note in notes] == [True, True]
    assert "it was trained on shop@" in notes[0]
    assert f"not for {other}" in notes[1]
    with (shelf.place(version) / TENSORS).open("ab") as file:
        file.write(b"0")
    with pytest.raises(ModelError, match="its SHA-256 is another"):
        found("shop")


def test_the_adapter_that_ships_is_for_the_prompts_that_ship() -> None:
    """Whoever edits the prompts of films trains it anew: `make train-demo`."""
    shelf, pack = Shelf.beside(FILMS), load_pack("movies")
    made = read_manifest(shelf.place(shelf.production))
    assert made.prompts == (PromptVersion(name=pack.name, version=pack.version),)
    verdict = shelf.verdict(shelf.production)
    assert verdict
    assert verdict.refused == ()


def test_a_server_gets_no_adapter_by_this_command(tmp_path: Path) -> None:
    """Which model runs there, and whether the adapter is for it, is found out by the service alone."""
    command = ["recommend", "--data", str(FILMS), "--user", "maya", "--engine", "http://127.0.0.1:1"]
    with pytest.raises(ModelError, match="leave --engine out"):
        app([*command, "--adapter", str(tmp_path)], standalone_mode=False)


def test_an_engine_that_runs_gets_no_adapter_in_passing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave one of the two out"):
        Recommender.from_folder(FILMS, engine=ScriptedEngine(), adapter=Lora("m+1", tmp_path, 8), encoder=FakeEncoder())


def test_a_tenant_gives_its_events_and_the_lists_that_they_answered(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    tenant = database.create_tenant("acme", pack="shop")
    tenant.put_items([Item(item_id=item_id, title=item_id) for item_id in ("lamp", "desk")])
    tenant.put_users([User(user_id="ann")])
    tenant.save_recommendation(answer("r1", item_id="desk"), {})
    taken = [Event(user_id="ann", item_id="desk", type="cart", event_id="1")]
    tenant.add_events(taken, recommendation_id="r1")
    database.close()
    found = from_database(sqlite_url, "acme")
    assert found.pack == "shop"
    assert list(found.store.events) == taken
    assert found.served == {"1": ("desk",)}
