"""Promoting, taking back, forgetting: one label, and every move of it kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.service.untrained import manifest_of
from genrec.errors import DataError, ModelError
from genrec.learn.adapter import MANIFEST, Base
from genrec.learn.gate import Side, Verdict
from genrec.learn.shape import Shape
from genrec.learn.shelf import NOTHING, Shelf

_FIRST, _SECOND = "a" * 12, "b" * 12


def _put(shelf: Shelf, version: str, user: str) -> None:
    manifest = manifest_of(Base(name="tiny", sha256="0" * 64), Shape(), users=[user])
    (shelf.folder / version).mkdir(parents=True)
    (shelf.folder / version / MANIFEST).write_text(manifest.model_dump_json())


def _verdict(against: str, *refused: str) -> Verdict:
    sides = {
        name: Side(name=who, weight=0, ndcg=0.1, alone=0.1) for name, who in (("current", against), ("candidate", "x"))
    }
    return Verdict(
        **sides,
        retriever=0.1,
        users=9,
        lists=9,
        listed=9,
        difference=0.1,
        interval=(0.05, 0.15),
        p=0.01,
        gaps=(),
        fit=None,
        canaries=12,
        refused=refused,
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Two adapters, one made from what ann did, one from what bob did."""
    found = Shelf(tmp_path / "adapters")
    _put(found, _FIRST, "ann")
    _put(found, _SECOND, "bob")
    return found


def test_what_wins_ranks_and_is_taken_back_step_by_step(shelf: Shelf) -> None:
    assert shelf.production == NOTHING
    shelf.judged(_FIRST, _verdict(NOTHING))
    shelf.promote(_FIRST)
    shelf.judged(_SECOND, _verdict(_FIRST))
    shelf.promote(_SECOND)
    assert shelf.production == _SECOND
    assert shelf.rollback().version == shelf.production == _FIRST
    assert shelf.rollback().version == shelf.production == NOTHING
    with pytest.raises(ModelError, match="nothing to go back to"):
        shelf.rollback()
    assert [move.by for move in shelf.moves()] == ["promote", "promote", "rollback", "rollback"]


def test_what_did_not_win_does_not_rank(shelf: Shelf) -> None:
    with pytest.raises(ModelError, match="was never judged"):
        shelf.promote(_FIRST)
    shelf.judged(_FIRST, _verdict(NOTHING, "it does not win"))
    with pytest.raises(ModelError, match="is not promoted: it does not win"):
        shelf.promote(_FIRST)
    assert shelf.production == NOTHING


def test_a_verdict_against_another_does_not_count(shelf: Shelf) -> None:
    shelf.judged(_FIRST, _verdict(NOTHING))
    shelf.judged(_SECOND, _verdict(NOTHING))
    shelf.promote(_FIRST)
    with pytest.raises(ModelError, match=f"was held against none, but {_FIRST} ranks now"):
        shelf.promote(_SECOND)


def test_erasing_a_user_marks_every_adapter_that_saw_them(shelf: Shelf) -> None:
    for version in (_FIRST, _SECOND):
        shelf.judged(version, _verdict(NOTHING))
    assert shelf.forget("ann") == [_FIRST]
    assert shelf.forget("ann") == [_FIRST]
    assert shelf.forget("nobody") == []
    assert list(shelf.erased()) == [_FIRST]
    with pytest.raises(ModelError, match="saw a user who was erased since"):
        shelf.promote(_FIRST)
    shelf.promote(_SECOND)
    assert "ann" not in (shelf.folder / "erased.jsonl").read_text()


def test_one_that_was_erased_from_is_not_gone_back_to(shelf: Shelf) -> None:
    shelf.judged(_FIRST, _verdict(NOTHING))
    shelf.promote(_FIRST)
    shelf.judged(_SECOND, _verdict(_FIRST))
    shelf.promote(_SECOND)
    shelf.forget("ann")
    with pytest.raises(ModelError, match="saw a user who was erased since"):
        shelf.rollback()
    assert shelf.production == _SECOND


@pytest.mark.parametrize("version", ["nothing", "../elsewhere", "c" * 12, "verdicts"])
def test_what_is_not_there_is_said(shelf: Shelf, version: str) -> None:
    with pytest.raises(ModelError, match=f"there are {_FIRST}, {_SECOND}"):
        shelf.promote(version)


@pytest.mark.parametrize("line", ["{", "[]", json.dumps({"version": "x"})])
def test_moves_that_nobody_wrote_are_not_obeyed(shelf: Shelf, line: str) -> None:
    (shelf.folder / "moves.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match="take the last whole version of the file"):
        shelf.moves()
