"""`genrec fit`: weights that are fitted to what each user took last, and saved beside the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec import runner
from genrec.arguments import AsJson, Data, Engine, Model, PackName
from genrec.engine import DEFAULT_ENCODER, cache_folder
from genrec.errors import DataError
from genrec.parts import fit_weights, hold_out
from genrec.recommender import DEFAULT_PACK, Recommender
from genrec.store import Store, folder_pack, folder_weights, read_folder, save_model_weight, save_weights
from genrec.terminal import Terminal, terminal
from genrec.weighing import FEWEST_CASES, fit_weight, judge
from retrieval import Weights


def fit(
    data: Data,
    ranking: Annotated[bool, typer.Option("--ranking", help="Fit the share of the language model instead.")] = False,
    cases: Annotated[int, typer.Option(min=FEWEST_CASES, help="How many lists the model is asked about.")] = 200,
    engine: Engine = None,
    model: Model = None,
    pack: PackName = None,
    as_json: AsJson = False,
) -> None:
    """Fit weights to what each user took last, and save them beside the data."""
    with terminal(cache_folder() / "log.txt") as screen:
        store = read_folder(data)
        if ranking:
            _fit_ranking(screen, data, store, cases, engine, model, pack, as_json=as_json)
        else:
            _fit_signals(screen, data, store, as_json=as_json)


def _fit_signals(screen: Terminal, data: Path, store: Store, *, as_json: bool) -> None:
    fitted = fit_weights(store, DEFAULT_ENCODER, screen.status)
    path = save_weights(data, fitted.weights)
    screen.status("")
    if as_json:
        screen.json({"file": str(path), **fitted.model_dump()})
        return
    defaults = Weights().model_dump()
    screen.table(
        [
            {"weight": name, "fitted": value, "default": defaults[name]}
            for name, value in fitted.weights.model_dump().items()
        ]
    )
    screen.line(
        f"\nNDCG@10 on the {fitted.cases} held-out items that were fitted to: "
        f"{fitted.before:.4f} before, {fitted.after:.4f} after. Written to {path}."
    )


def _fit_ranking(
    screen: Terminal,
    data: Path,
    store: Store,
    most: int,
    engine: str | None,
    model: str | None,
    pack: str | None,
    *,
    as_json: bool,
) -> None:
    known, cases = hold_out(store)
    recommender = Recommender.from_store(
        known,
        pack=pack or folder_pack(data) or DEFAULT_PACK,
        engine=engine,
        model=model,
        weights=folder_weights(data),
        status=screen.status,
    )
    with recommender:
        judged = runner.run(
            judge(recommender, cases, most, lambda done, of: screen.status(f"asking the model: {done} of {of} lists"))
        )
        name = recommender.engine.model
    if len(judged) < FEWEST_CASES:
        raise DataError(f"{len(judged)} lists hold what the user took next: fitting needs {FEWEST_CASES}")
    found = fit_weight(judged)
    path = save_model_weight(data, name, found.weight)
    screen.status("")
    if as_json:
        screen.json({"file": str(path), "model": name, **found.model_dump()})
        return
    screen.line(
        f"model {name}: weight {found.weight:g} (best {found.best:g}); NDCG@10 on {found.cases} lists that hold the "
        f"item: {found.before:.4f} without the model, {found.after:.4f} with the best weight, standard error of the "
        f"difference {found.standard_error:.4f}. Written to {path}."
    )
