"""Files for those who run genrec, and what a running service says at /metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from genrec import EngineError
from genrec.server.settings import Settings
from genrec.testing import ScriptedEngine
from tests.genrec.server.conftest import build

DEPLOY = Path(__file__).parents[2] / "deploy"

Samples = Mapping[str, list[Mapping[str, str]]]
"""The labels of each sample, by the name of the metric."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samples]:
    """What `/metrics` says after a fallback, an error and an explanation."""
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENREC_CACHE", str(folder / "cache"))
        engine = ScriptedEngine(error=EngineError("down"), stage="score")
        house = build(folder / "genrec.sqlite", engine, settings=Settings())
        with house.client as client:
            for asked in ({"user_id": "ann"}, {"user_id": "nobody"}):
                client.post("/v1/recommend", json=asked)
            client.post("/v1/explain", json={"user_id": "ann", "item_id": "mocha"})
            found: dict[str, list[Mapping[str, str]]] = {"up": [{}]}
            for family in text_string_to_metric_families(client.get("/metrics").text):
                for sample in family.samples:
                    found.setdefault(sample.name, []).append(sample.labels)
        yield found
