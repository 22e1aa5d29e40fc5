"""What only an index on disk has to promise: it survives, it is not rewritten, and damage is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.crash import kill_repeatedly
from retrieval.index import DamagedIndex, lance
from retrieval.index.lance import LanceIndex

_ROWS = np.arange(30)


def _vectors(count: int = 30, dimensions: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(0).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    index = LanceIndex(tmp_path, 8)
    index.upsert(_ROWS, _vectors())
    index.delete(np.array([4]))
    again = LanceIndex(tmp_path, 8)
    assert len(again) == 29
    assert np.array_equal(again.vectors(np.array([7])), _vectors()[[7]])
    again.verify()


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    LanceIndex(tmp_path, 8).upsert(_ROWS, _vectors())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    LanceIndex(tmp_path, 8).upsert(_ROWS, _vectors())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.long
def test_no_process_that_is_killed_leaves_half_of_anything(tmp_path: Path) -> None:
    assert kill_repeatedly(tmp_path, kills=5)["kills"] == 5


def test_a_half_written_generation_is_swept_away_and_never_served(tmp_path: Path) -> None:
    index = LanceIndex(tmp_path, 8)
    index.upsert(_ROWS, _vectors())
    (tmp_path / "generation-half").mkdir()
    (tmp_path / "CURRENT.draft").write_text("half")
    assert len(LanceIndex(tmp_path, 8)) == 30
    assert not (tmp_path / "generation-half").exists()


def test_damage_is_said(tmp_path: Path) -> None:
    LanceIndex(tmp_path, 8).replace(_ROWS, _vectors())
    current = tmp_path / "CURRENT"
    whole = current.read_text()
    current.write_text(whole.replace("generation-", "generation_"))
    with pytest.raises(DamagedIndex, match="is not what was written"):
        LanceIndex(tmp_path, 8)
    current.write_text(whole)
    for file in tmp_path.rglob("*.lance"):
        if file.is_file():
            file.write_bytes(b"nothing")
    with pytest.raises(DamagedIndex):
        LanceIndex(tmp_path, 8)


def test_a_torn_copy_is_noticed_and_mended(tmp_path: Path) -> None:
    LanceIndex(tmp_path, 8).replace(_ROWS, _vectors())
    [copy] = tmp_path.glob("*/copy.f32")
    copy.write_bytes(copy.read_bytes()[:400] + b"torn")
    again = LanceIndex(tmp_path, 8)
    assert np.array_equal(again.vectors(_ROWS), _vectors())
    assert copy.read_bytes()[: 30 * 32] == _vectors().tobytes()


def _flip_a_byte(folder: Path) -> None:
    [copy] = folder.glob("*/copy.f32")
    whole = bytearray(copy.read_bytes())
    whole[5 * 32] ^= 1
    copy.write_bytes(whole)


def test_a_flipped_byte_is_noticed_and_mended(tmp_path: Path) -> None:
    LanceIndex(tmp_path, 8).replace(_ROWS, _vectors())
    _flip_a_byte(tmp_path)
    assert np.array_equal(LanceIndex(tmp_path, 8).vectors(_ROWS), _vectors())


def test_without_digests_a_flipped_byte_would_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LanceIndex(tmp_path, 8).replace(_ROWS, _vectors())
    _flip_a_byte(tmp_path)
    again = LanceIndex(tmp_path, 8)
    monkeypatch.setattr(lance, "_digests", lambda vectors: again._digests[_ROWS[: len(vectors)]])
    assert not np.array_equal(again.vectors(_ROWS), _vectors())


def test_another_length_is_refused_with_the_cure(tmp_path: Path) -> None:
    LanceIndex(tmp_path, 8)
    with pytest.raises(ValueError, match=r"8 dimensions, not 9.*fill a new index"):
        LanceIndex(tmp_path, 9)


def test_many_items_are_searched_approximately_as_tuned_and_stay_complete(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    vectors = _vectors(200, 64)[random.integers(0, 200, 60_000)] + random.normal(0, 0.1, (60_000, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    index = LanceIndex(tmp_path, 64)
    index.replace(np.arange(59_000), vectors[:59_000])
    assert index.settings is not None
    index.upsert(np.arange(59_000, 60_000), vectors[59_000:])
    everything = np.ones(60_000, np.bool_)
    assert index.search(vectors[59_500], 1, everything).tolist() == [59_500]
    assert LanceIndex(tmp_path, 64).settings == index.settings
    truth = [np.argsort(-(vectors @ query))[:50] for query in vectors[:20]]
    found = [index.search(query, 50, everything) for query in vectors[:20]]
    assert np.mean([np.isin(best, rows).mean() for best, rows in zip(truth, found, strict=True)]) > 0.95


def test_where_tuning_finds_no_setting_all_items_are_compared(tmp_path: Path) -> None:
    vectors = _vectors(50_000, 16)  # without any structure, one bit a number says too little
    index = LanceIndex(tmp_path, 16, target_recall=1.0)
    index.replace(np.arange(50_000), vectors)
    assert index.settings is None
    best = np.argsort(-(vectors @ vectors[0]))[:50]
    assert index.search(vectors[0], 50, np.ones(50_000, np.bool_)).tolist() == best.tolist()
