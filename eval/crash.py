"""Kill a process that writes to the index on disk, again and again, and look at what is there afterwards.

Operation number i is the same in every run: an upsert of fifty items, and every fifth time a replacement of the
whole index. The writer says a number when its operation has returned. Whatever moment it is killed at, the index
must then hold all operations up to the last number said, or one more, each whole.

`python -m eval.crash FOLDER FIRST` is the writer.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from retrieval.encoder import Vectors
from retrieval.index import Rows
from retrieval.index.lance import LanceIndex

_DIMENSIONS = 16
_ROWS = 400
_UPSERTED = 50
_REPLACE_EVERY = 5
_LONGEST_S = 0.4
_SEED = 20261124


def kill_repeatedly(folder: Path, kills: int) -> dict[str, int]:
    """How often the writer was killed, what it had said, and how often the operation in flight was there too.

    Raises:
        AssertionError: the index holds anything else, or a vector that is not what was written.
    """
    draw = random.Random(_SEED)
    said, in_flight = 0, 0
    for _ in range(kills):
        said += _write_and_kill(folder, said, draw.uniform(0, _LONGEST_S))
        index = LanceIndex(folder, _DIMENSIONS)
        index.verify()
        if _holds(index, said + 1):
            said, in_flight = said + 1, in_flight + 1
        elif not _holds(index, said):
            raise AssertionError(f"after operation {said} the index holds neither its state nor that of the next")
    return {"kills": kills, "operations": said, "killed after the commit": in_flight}


def _write_and_kill(folder: Path, first: int, delay_s: float) -> int:
    """Start a writer, kill it after a while; the number of operations it said were done."""
    command = [sys.executable, "-m", "eval.crash", str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603
        if writer.stdout is None or writer.stdout.readline() != "ready\n":
            raise RuntimeError("the writer did not start")
        time.sleep(delay_s)
        writer.send_signal(signal.SIGKILL)
        return len(writer.stdout.readlines())


def _holds(index: LanceIndex, operations: int) -> bool:
    rows, vectors = _state(operations)
    if len(index) != len(rows):
        return False
    try:
        return bool(np.array_equal(index.vectors(rows), vectors))
    except KeyError:
        return False


def _state(operations: int) -> tuple[Rows, Vectors]:
    """What the index must hold after so many operations: everything since the last replacement."""
    begin = max(0, (operations - 1) // _REPLACE_EVERY * _REPLACE_EVERY)
    held: dict[int, np.ndarray] = {}
    for number in range(begin, operations):
        rows, vectors = _operation(number)
        held |= zip(rows.tolist(), vectors, strict=True)
    rows = np.array(sorted(held), np.int64)
    return rows, np.array([held[row] for row in rows.tolist()], np.float32).reshape(-1, _DIMENSIONS)


def _operation(number: int) -> tuple[Rows, Vectors]:
    numbers = np.random.default_rng(number)
    rows = np.sort(numbers.choice(_ROWS, _UPSERTED, replace=False)).astype(np.int64)
    return rows, numbers.standard_normal((_UPSERTED, _DIMENSIONS)).astype(np.float32)


def _write(folder: Path, first: int) -> None:
    index = LanceIndex(folder, _DIMENSIONS)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    number = first
    while True:
        apply = index.upsert if number % _REPLACE_EVERY else index.replace
        apply(*_operation(number))
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(sys.argv[2]))
