"""Whatever ends the owner of an engine, the engine's processes end too."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import FILMS, GENREC

pytestmark = pytest.mark.model

_END_S = 20


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """A command inherits an ignored SIGINT, as under `nohup`, and keeps it: these tests must not start from there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, "recommending to user maya ..."),
        pytest.param(signal.SIGINT, 130, "genrec: cancelled", marks=pytest.mark.long),
    ],
)
def test_no_engine_outlives_its_command(how: signal.Signals, status: int, said: str, tmp_path: Path) -> None:
    many = ["--user", "maya"] * 500
    errors = tmp_path / "errors.txt"
    with errors.open("w") as sink:
        command = [*GENREC, "recommend", "--data", str(FILMS), *many, "--json"]
        owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True)
    assert owner.stdout is not None
    first = owner.stdout.readline()
    left = psutil.Process(owner.pid).children(recursive=True)
    names = [process.name() for process in left]
    owner.send_signal(how)
    try:
        assert first.startswith("{"), errors.read_text()
        assert "VLLM::EngineCore" in names
        assert owner.wait(_END_S) == status
        assert psutil.wait_procs(left, timeout=_END_S)[1] == []
        assert errors.read_text().splitlines()[-1] == said
    finally:
        owner.kill()
        owner.stdout.close()
