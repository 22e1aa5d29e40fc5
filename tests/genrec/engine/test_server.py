"""A real vLLM server over HTTP says the same as vLLM in this process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from genrec import Config, Recommender, runner
from genrec.engine import default_model, has_gpu, resolve
from genrec.engine.hardware import cpu_dtype
from genrec.prompting import Messages

pytestmark = pytest.mark.model

_ASK: Messages = [{"role": "user", "content": "Choose a letter: A, B or C."}]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model: Path = resolve(default_model(), lambda _: None)
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port), "--max-model-len", "4096"]
    command += ["--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}']
    command += [] if has_gpu() else ["--dtype", cpu_dtype(), "--enforce-eager"]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
        try:
            _wait_for(server, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.HTTPError:
            time.sleep(1)
    pytest.fail(f"the server did not come up: {log.read_text()[-2000:]}")


def test_scores_and_reasons_over_http(films: Recommender, url: str) -> None:
    with Recommender.from_store(
        films.store,
        pack="movies",
        engine=url,
        encoder=films.retriever.knowledge.encoder,
        config=Config(model_weight=0.5),
    ) as served:
        here = runner.run(films.engine.score_labels(_ASK, "ABC"))
        there = runner.run(served.engine.score_labels(_ASK, "ABC"))
        assert not there.bounded
        for label in "ABC":
            assert there.logprobs[label] == pytest.approx(here.logprobs[label], abs=1e-3)
        counts = [runner.run(engine.count_tokens(_ASK)) for engine in (films.engine, served.engine)]
        assert counts[0] == counts[1]
        answer = served.recommend("maya")
        assert answer.fallback is None
        assert answer.model == "small"
        assert all(item.reason for item in answer.items)
        listed = Recommender(films.store, films.retriever, films.pack, served.engine, Config(strategy="json"))
        assert listed.recommend("maya", 2).fallback is None
