"""Vectors of texts that were encoded before, on disk, found by their content."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from retrieval.encoder import Encoder, Vectors

_T = TypeVar("_T")

Progress = Callable[[int, int], None]
"""Called with (done, total) while something long runs."""

_BATCH = 256
_SEAL_BYTES = 8
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_log = logging.getLogger(__name__)


class Vectorizer(Protocol):
    """Turns texts into vectors, and may remember them."""

    def encode(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Unit vectors, shape (len(texts), d)."""


class NoCache:
    """Keeps nothing: for texts that are looked at once and belong to somebody else."""

    def encode(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        vectors = encoder.encode(texts)
        if progress:
            progress(len(texts), len(texts))
        return vectors


class VectorCache:
    """A SQLite file beside the models: text hash → float32 vector and its seal, for every encoder that was used.

    It holds nothing that cannot be computed again, so deleting it is always safe, and what a disk has damaged is
    computed again: a vector whose seal is broken, or all where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def encode(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Unit vectors, shape (len(texts), d); only texts that are not in the cache are encoded."""
        return self._anew_if_damaged(partial(self._encode, encoder, texts, progress))

    def _encode(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None) -> Vectors:
        keys = [_key(encoder.name, text) for text in texts]
        with closing(self._open()) as database:
            known = _read(database, set(keys))
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            for done in range(0, len(missing), _BATCH):
                batch = dict(list(missing.items())[done : done + _BATCH])
                vectors = encoder.encode(list(batch.values()))
                known |= zip(batch, vectors, strict=True)
                with database:
                    rows = ((key, _sealed(key, vector.tobytes())) for key, vector in zip(batch, vectors, strict=True))
                    database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
                if progress:
                    progress(min(done + _BATCH, len(missing)), len(missing))
        return np.stack([known[key] for key in keys]) if keys else np.empty((0, 0), np.float32)

    def keep_only(self, encoder: Encoder, texts: Sequence[str]) -> None:
        """Forget the vectors of all other texts, and leave no byte of them in the file."""
        self._anew_if_damaged(partial(self._keep_only, encoder, texts))

    def _keep_only(self, encoder: Encoder, texts: Sequence[str]) -> None:
        wanted = {_key(encoder.name, text) for text in texts}
        with closing(self._open()) as database:
            database.execute("PRAGMA secure_delete=ON")
            held = [key for (key,) in database.execute("SELECT key FROM vectors")]
            with database:
                database.executemany("DELETE FROM vectors WHERE key = ?", ((key,) for key in held if key not in wanted))
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _anew_if_damaged(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise
            _log.warning("%s is damaged and begun anew: %s", self._path, error)
            for file in self._path.parent.glob(f"{self._path.name}*"):
                file.unlink(missing_ok=True)
            return work()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=60)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")
        return database


def _key(encoder: str, text: str) -> bytes:
    return hashlib.sha256(f"{encoder}\0{text}".encode()).digest()


def _read(database: sqlite3.Connection, keys: set[bytes]) -> dict[bytes, np.ndarray]:
    known: dict[bytes, np.ndarray] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        marks = ",".join("?" * len(part))
        rows = database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)  # noqa: S608
        known |= {key: np.frombuffer(kept[:-_SEAL_BYTES], np.float32) for key, kept in rows if _is_whole(key, kept)}
    return known


def _sealed(key: bytes, vector: bytes) -> bytes:
    return vector + hashlib.blake2b(vector, digest_size=_SEAL_BYTES, key=key).digest()


def _is_whole(key: bytes, kept: bytes) -> bool:
    return _sealed(key, kept[:-_SEAL_BYTES]) == kept
