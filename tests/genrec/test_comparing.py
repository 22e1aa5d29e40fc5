"""Two packs on the same users: the same questions, the right winner, and none where there is none."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from genrec import Config, EngineError, Recommender, runner
from genrec.comparing import Comparison, compare
from genrec.engine.base import Messages
from genrec.parts import hold_out
from genrec.prompting import load_pack, pack_folder
from genrec.testing import FakeEncoder, ScriptedEngine
from retrieval.fit import Case
from tests.eval.worlds import chains

_LISTED = re.compile(r"^(Item \d+).* \[([A-Z])\]$", re.MULTILINE)


class _Reader(ScriptedEngine):
    """Knows what comes next, if it is told what was last; else it goes by letters."""

    async def _begin(self, stage: str, messages: Messages) -> None:
        await super()._begin(stage, messages)
        text = messages[-1]["content"]
        last = re.findall(r"view: Item (\d+)", text)
        wanted = f"Item {(int(last[-1]) + 1) % 60}" if last else None
        shown: Mapping[str, str] = {label: item for item, label in _LISTED.findall(text)}
        self._scores = lambda label: 5.0 if shown.get(label) == wanted else -float(ord(label))


@pytest.fixture
def blind(tmp_path: Path) -> Path:
    """The general pack without the user's history."""
    folder = tmp_path / "blind"
    shutil.copytree(pack_folder() / "general", folder)
    (folder / "_user.j2").write_text("Somebody.\n")
    return folder


def _compare(a: str | Path, b: str | Path, users: int = 40) -> Comparison:
    known, cases = hold_out(chains())
    engine = _Reader()
    recommender = Recommender.from_store(known, engine=engine, encoder=FakeEncoder(), config=Config(candidates=10))
    return runner.run(compare(recommender, load_pack(a), load_pack(b), _some(cases, users), lambda done, of: None))


def _some(cases: list[Case], users: int) -> list[Case]:
    return cases[:users]


def test_the_prompt_that_tells_more_wins(own_cache: Path, blind: Path) -> None:
    found = _compare(blind, "general")
    assert found.winner == "b"
    assert found.decided_by == "ndcg@10"
    figures = found.figures
    assert figures["ndcg@10"].b == 1
    assert figures["ndcg@10"].interval[0] > 0
    assert figures["tokens"].winner == "a"


def test_plain_reasons_are_not_the_models(own_cache: Path) -> None:
    """A model that writes no reason, because it fails or only ends the sentence, has none accepted."""
    known, cases = hold_out(chains())
    pack = load_pack("general")
    silent = (ScriptedEngine(text="."), ScriptedEngine(error=EngineError("down"), stage="generate"))
    for engine in (*silent, ScriptedEngine(text=", an item.")):
        recommender = Recommender.from_store(known, engine=engine, encoder=FakeEncoder(), config=Config(candidates=10))
        found = runner.run(compare(recommender, pack, pack, cases[:4], lambda done, of: None))
        assert found.figures["accepted"].a == (0 if engine in silent else 1)


def test_a_pack_does_not_win_against_itself(own_cache: Path) -> None:
    found = _compare("general", "general")
    assert found.winner == "no difference"
    assert found.figures["ndcg@10"].difference == 0
    assert found.a == found.b
