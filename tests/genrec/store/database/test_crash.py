"""A process that writes is killed at any moment: what it acknowledged is there, exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from genrec.store.database import Database, Stored, Tenant
from tests.genrec.store.database.conftest import event

_ROUNDS = 30
_BATCH = 3
_WRITER = f"""
import itertools, os, sys
from genrec import Event
from genrec.store.database import Database

def say(*lines):
    os.write(1, "".join(f"{{line}}\\n" for line in lines).encode())

def write(round):
    say(os.getpid())
    tenant = Database.open(sys.argv[1]).tenant("acme")
    for n in itertools.count():
        ids = [f"{{round}}-{{n}}-{{i}}" for i in range({_BATCH})]
        tenant.add_events([Event(user_id="ann", item_id="lamp", type="view", event_id=id) for id in ids])
        say(*ids)

for line in sys.stdin:
    child = os.fork()
    if not child:
        write(line.strip())
    os.waitpid(child, 0)
    say("dead")
"""
"""Forks a writer for each line: what is imported once would take a second in each of them.

What it says goes out in one write, so that no line is cut off by the kill."""


def test_what_was_acknowledged_outlives_the_process(database: Database, url: str, tenant: Tenant) -> None:
    chance = random.Random(4)
    acknowledged: list[str] = []
    with _writers(url) as writers:
        for number in range(_ROUNDS):
            acknowledged += _killed(writers, number, after=chance.randrange(40), pause_s=chance.random() / 200)
            kept = [str(done.event_id) for done in tenant.snapshot().events]
            assert len(kept) == len(set(kept))
            assert len(kept) % _BATCH == 0
            assert set(acknowledged) <= set(kept)
    assert len(acknowledged) > _ROUNDS
    again = tenant.add_events([event(event_id=sent) for sent in acknowledged])
    assert all(isinstance(outcome, Stored) and outcome.repeated for outcome in again)
    database.check()


@contextmanager
def _writers(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _WRITER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        yield writers


def _killed(writers: subprocess.Popen[str], number: int, *, after: int, pause_s: float) -> list[str]:
    """What one writer acknowledged, who was killed a moment after so many events."""
    assert writers.stdin
    assert writers.stdout
    print(number, file=writers.stdin, flush=True)
    pid = int(writers.stdout.readline())
    acknowledged = [writers.stdout.readline().strip() for _ in range(after)]
    time.sleep(pause_s)
    os.kill(pid, signal.SIGKILL)
    while (line := writers.stdout.readline().strip()) != "dead":
        acknowledged.append(line)
    return acknowledged
