"""Vectors that were kept: encoded once, and never believed when a disk has changed them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.testing import FakeEncoder
from retrieval import cache as caching
from retrieval.cache import VectorCache

_TEXTS = [f"a lamp of kind {number}" for number in range(300)]


class _Counting(FakeEncoder):
    encoded = 0

    def encode(self, texts: caching.Sequence[str]) -> caching.Vectors:
        self.encoded += len(texts)
        return super().encode(texts)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vectors.sqlite"


def _flip(file: Path, what: bytes) -> None:
    whole = file.read_bytes()
    place = whole.index(what)
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])


def test_what_is_kept_is_not_encoded_again(file: Path) -> None:
    encoder = _Counting()
    first = VectorCache(file).encode(encoder, _TEXTS)
    assert np.array_equal(VectorCache(file).encode(encoder, [*_TEXTS, "new"])[:-1], first)
    assert encoder.encoded == len(_TEXTS) + 1


def test_a_flipped_byte_costs_one_encoding(file: Path) -> None:
    encoder = _Counting()
    right = VectorCache(file).encode(encoder, _TEXTS)
    _flip(file, right[7].tobytes())
    for _ in range(2):
        assert np.array_equal(VectorCache(file).encode(encoder, _TEXTS), right)
    assert encoder.encoded == len(_TEXTS) + 1


def test_without_the_seal_a_flipped_byte_would_be_served(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "_is_whole", lambda *_: True)
    right = VectorCache(file).encode(FakeEncoder(), _TEXTS)
    _flip(file, right[7].tobytes())
    assert not np.array_equal(VectorCache(file).encode(FakeEncoder(), _TEXTS), right)


def test_bytes_flipped_anywhere_change_no_vector(file: Path) -> None:
    right = VectorCache(file).encode(FakeEncoder(), _TEXTS)
    whole = file.read_bytes()
    for start in range(0, len(whole), len(whole) // 60):
        file.write_bytes(whole[:start] + bytes(byte ^ 0xFF for byte in whole[start : start + 64]) + whole[start + 64 :])
        assert np.array_equal(VectorCache(file).encode(FakeEncoder(), _TEXTS), right), start


def test_a_file_that_is_no_database_is_begun_anew_and_said(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_bytes(b"no database " * 1000)
    vectors = VectorCache(file).encode(FakeEncoder(), _TEXTS)
    assert np.array_equal(vectors, FakeEncoder().encode(_TEXTS))
    assert "vectors.sqlite is damaged and begun anew" in caplog.text
    file.write_bytes(b"no database " * 1000)
    VectorCache(file).keep_only(FakeEncoder(), _TEXTS)
    assert np.array_equal(VectorCache(file).encode(FakeEncoder(), _TEXTS), vectors)
