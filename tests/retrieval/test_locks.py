"""Many look, or one changes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from retrieval.locks import Shared


def test_readers_share_and_writers_are_alone() -> None:
    lock, seen, value = Shared(), [], [0, 0]

    def read(_: int) -> None:
        with lock.reading():
            first = value[0]
            time.sleep(0.001)
            seen.append(first == value[1])

    def write(number: int) -> None:
        with lock.writing():
            value[0] = number
            time.sleep(0.001)
            value[1] = number

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: (write if n % 5 == 0 else read)(n), range(200)))
    assert len(seen) == 160
    assert all(seen)


def test_readers_do_not_wait_for_each_other() -> None:
    lock, both = Shared(), threading.Barrier(2, timeout=5)

    def read() -> None:
        with lock.reading():
            both.wait()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not both.broken


def test_an_error_inside_frees_the_lock() -> None:
    lock = Shared()
    for enter in (lock.reading, lock.writing):
        try:
            with enter():
                raise ValueError
        except ValueError:
            pass
    with lock.writing():
        pass
