"""The parts of a recommender that take time to get ready: encoded items and a running language model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from genrec.engine import HttpEngine, VllmEngine, cache_folder, default_model, misfit_packages, resolve
from genrec.errors import DataError, ModelError
from genrec.store import Store
from retrieval import Encoder, Filter, Query, Retriever, SentenceEncoder, Weights
from retrieval.cache import VectorCache, Vectorizer
from retrieval.fit import FEWEST_CASES, Case, Fit, fit, hide_last
from retrieval.guards import Quarantine
from retrieval.index import Index

Status = Callable[[str], None]
"""Called with a line whenever something that takes time begins."""


def load_encoder(name: str, status: Status) -> Encoder:
    """The sentence encoder of that name: hub id, local folder or `wheel:PACKAGE`.

    Raises:
        ModelError: it cannot be found or loaded.
    """
    folder = resolve(name, status)
    status("loading the sentence encoder")
    try:
        return SentenceEncoder(folder, name=name)
    except (ImportError, RuntimeError, OSError, ValueError) as error:
        cause = misfit_packages() or " ".join(str(error).split())
        raise ModelError(f"the encoder {name!r} cannot be loaded: {cause}") from error


def build_retriever(
    store: Store,
    encoder: str | Encoder,
    status: Status,
    weights: Weights | None = None,
    index: Index | None = None,
    cache: Vectorizer | None = None,
    quarantine: Quarantine | None = None,
) -> Retriever:
    """Encode the items of a store, those that are not in the cache yet; `cache` is the user's where it is None.

    `quarantine` decides which events count for others than their user; None counts them all.

    Raises:
        ModelError: the encoder cannot be found or loaded.
    """
    if isinstance(encoder, str):
        encoder = load_encoder(encoder, status)
    status(f"encoding {len(store.items)} items")
    return Retriever.build(
        store.items,
        store.events,
        encoder,
        cache or VectorCache(cache_folder() / "vectors.sqlite"),
        users=[store.user(user_id) for user_id in store.user_ids],
        weights=weights,
        index=index,
        progress=lambda done, of: status(f"encoding items: {done} of {of}"),
        quarantine=quarantine,
    )


def hold_out(store: Store) -> tuple[Store, list[Case]]:
    """The store without what each user took last, and those takes; where items are people, without its other side too.

    Raises:
        DataError: too few users took anything after a first item.
    """
    hidden = {user_id: last for user_id in store.user_ids if (last := hide_last(store.history(user_id)))}
    if len(hidden) < FEWEST_CASES:
        raise DataError(
            f"{len(hidden)} users took something after a first item: fitting needs {FEWEST_CASES}; the defaults stay"
        )
    users = [store.user(user_id) for user_id in store.user_ids]
    known = [e for user in store.user_ids for e in (hidden[user][0] if user in hidden else store.history(user))]
    if store.people:
        gone = {(take.item_id, user_id) for user_id, (_, take) in hidden.items()}
        known = [event for event in known if (event.user_id, event.item_id) not in gone]
    left = Store(store.items, users, known, people=store.people)
    cases = [
        Case(
            Query(store.user(user_id), left.history(user_id), take.moment, filter=_others(store, user_id)), take.item_id
        )
        for user_id, (_, take) in hidden.items()
    ]
    return left, [case for case in cases if case.query.history]


def _others(store: Store, user_id: str) -> Filter:
    """Nobody is recommended to themself."""
    return Filter(deny=frozenset({user_id})) if store.people else Filter()


def fit_weights(store: Store, encoder: str | Encoder, status: Status) -> Fit:
    """Weights that rank well what each user took last, by a retriever that does not know it.

    Raises:
        DataError: too few users took anything after a first item.
    """
    known, cases = hold_out(store)
    retriever = build_retriever(known, encoder, status)
    return fit(retriever, cases, lambda done, of: status(f"fitting weights: {done} of at most {of}"))


async def start_engine(engine: str | None, model: str | None, status: Status, rank: int = 0) -> HttpEngine | VllmEngine:
    """Connect to the server at the URL `engine`, or start vLLM in this process where there is none.

    `rank`: the highest of adapters that will be loaded; 0 is none. A server has made room for them or has not.

    Raises:
        ModelError: the model cannot be found.
        EngineError: the server or vLLM does not answer.
    """
    if engine is not None:
        status(f"connecting to {engine}")
        return await HttpEngine.connect(engine, model=model)
    name = model or default_model()
    folder = await asyncio.to_thread(resolve, name, status)
    status(f"starting vLLM with {name}")
    return await VllmEngine.start(folder, name=name, rank=rank)
