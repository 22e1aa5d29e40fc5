"""Methods by name. The encoder is loaded and the language model started when the first method needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from eval.method import Method, Status
from eval.methods.factors import ALS, BPR
from eval.methods.graph import ADAMIC_ADAR, WALK
from eval.methods.model import ModelMethod
from eval.methods.neighbours import ITEM_KNN
from eval.methods.popularity import POP
from eval.methods.retriever import RetrieverMethod
from eval.methods.sasrec import SASREC, SASREC_CE
from eval.methods.text import BM25
from genrec import runner
from genrec.engine import DEFAULT_ENCODER, Engine
from genrec.errors import DataError
from genrec.parts import start_engine
from genrec.prompting import load_pack
from retrieval import Encoder

BASELINES: Mapping[str, Method] = {
    one.name: one for one in (POP, BM25, ITEM_KNN, ADAMIC_ADAR, WALK, ALS, BPR, SASREC, SASREC_CE)
}
RETRIEVER = "retriever"
MODELS: Mapping[str, Mapping[str, Any]] = {
    "labels": {},
    "labels-4": {"permutations": 4},
    "labels-4-calibrated": {"permutations": 4, "calibrate": True},
    "json": {"strategy": "json"},
    "fused": {"permutations": 4, "calibrate": True},
}
"""Configurations of the recommender. The model decides alone, except in `fused`, where validation gives its weight."""
NAMES = (*BASELINES, RETRIEVER, *MODELS)


@dataclass
class Toolbox:
    """Makes methods; to be closed, because it may have started a model."""

    pack: str
    status: Status
    engine: str | Engine | None = None
    model: str | None = None
    encoder: str | Encoder = DEFAULT_ENCODER

    def methods(self, names: Sequence[str]) -> list[Method]:
        """Raises DataError for a name that is none of NAMES."""
        if unknown := [name for name in names if name not in NAMES]:
            raise DataError(f"no method {unknown[0]!r}: name any of {', '.join(NAMES)}")
        return [self._method(name) for name in dict.fromkeys(names)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        started = self.engine is None or isinstance(self.engine, str)
        if started and "_running" in self.__dict__:  # an engine that was given is its owner's to close
            runner.run(self._running.close())

    def _method(self, name: str) -> Method:
        if name in BASELINES:
            return BASELINES[name]
        if name == RETRIEVER:
            return self._retriever
        return ModelMethod(name, MODELS[name], self._retriever, self._running, load_pack(self.pack), name == "fused")

    @cached_property
    def _retriever(self) -> RetrieverMethod:
        return RetrieverMethod(self.encoder)

    @cached_property
    def _running(self) -> Engine:
        if self.engine is None or isinstance(self.engine, str):
            return runner.run(start_engine(self.engine, self.model, self.status))
        return self.engine
