"""The HTTP engine against canned servers: vLLM's answers, OpenAI's, and broken ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from genrec import EngineError, ModelError
from genrec.engine import Adapted, HttpEngine, LabelScores, Lora, Sampling
from genrec.engine.base import Chunk, collect

_T = TypeVar("_T")
_ASK = [{"role": "user", "content": "A or B?"}]
_MODELS = {"data": [{"id": "m", "max_model_len": 2048}, {"id": "n"}]}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}

Reply = Callable[[httpx.Request], httpx.Response]


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(work)


def _server(chat: Reply, *, vllm: bool = True) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/v1/models":
                return httpx.Response(200, json=_MODELS)
            case "/version":
                return httpx.Response(200 if vllm else 404, json={})
            case "/tokenize":
                asked = json.loads(request.content)
                return httpx.Response(200, json={"count": 7, "tokens": [ord(letter) for letter in asked["prompt"]]})
        return chat(request)

    return httpx.MockTransport(answer)


async def _scores(chat: Reply, *, vllm: bool = True) -> LabelScores:
    engine = await HttpEngine.connect("http://x/v1/", transport=_server(chat, vllm=vllm))
    return await engine.score_labels(_ASK, ["A", "B"])


async def _text(chat: Reply, sampling: Sampling) -> Chunk:
    engine = await HttpEngine.connect("http://x", transport=_server(chat))
    return await collect(engine.generate(_ASK, sampling))


def _top(*pairs: tuple[str, float]) -> httpx.Response:
    top = [{"token": token, "logprob": value} for token, value in pairs]
    return httpx.Response(200, json={"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}], "usage": _USAGE})


def _stream(*events: object) -> httpx.Response:
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
    return httpx.Response(200, text="".join(lines))


def _delta(text: str, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}


def test_vllm_is_asked_for_the_labels_themselves() -> None:
    def chat(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        assert asked["logprob_token_ids"] == [65, 66]
        return _top(("token_id:66", -0.5), ("token_id:65", -1.5))

    scores = _run(_scores(chat))
    assert dict(scores.logprobs) == {"A": -1.5, "B": -0.5}
    assert not scores.bounded
    assert (scores.usage.prompt_tokens, scores.usage.cached_tokens) == (9, 4)


def test_elsewhere_a_label_that_is_not_returned_is_bounded() -> None:
    scores = _run(_scores(lambda _: _top(("B", -0.1), ("the", -3.0)), vllm=False))
    assert dict(scores.logprobs) == {"A": -3.0, "B": -0.1}
    assert scores.bounded == {"A"}


@pytest.mark.parametrize("vllm", [True, False])
def test_only_vllm_is_sent_the_salt_of_its_cache(vllm: bool) -> None:
    asked = []

    def chat(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return _top(("token_id:65" if vllm else "A", -1.0), ("token_id:66" if vllm else "B", -2.0))

    async def score() -> None:
        engine = await HttpEngine.connect("http://x", transport=_server(chat, vllm=vllm))
        await engine.score_labels(_ASK, ["A", "B"], cache_salt="tenant")

    _run(score())
    assert asked[0].get("cache_salt") == ("tenant" if vllm else None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(500, text="boom"), "HTTP 500 from /v1/chat/completions: boom"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(200, json={"choices": []}), "no log-probabilities"),
        (_top(("token_id:65", -1.0)), "1 of 2 label log-probabilities"),
    ],
)
def test_answers_without_scores(answer: httpx.Response, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        _run(_scores(lambda _: answer))


def test_text_arrives_in_pieces_with_its_usage() -> None:
    def chat(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        assert asked["response_format"]["json_schema"]["schema"] == {"type": "array"}
        return _stream(_delta("[1"), _delta("]", "stop"), {"choices": [], "usage": _USAGE}, "[DONE]")

    answer = _run(_text(chat, Sampling(max_tokens=5, schema={"type": "array"})))
    assert (answer.text, answer.finish_reason, answer.usage.completion_tokens) == ("[1]", "stop", 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_stream(_delta("Beca")), "ended its answer in the middle"),
        (_stream(_delta("Beca"), {"error": "out of memory"}), "out of memory"),
        (_stream("{broken"), "not JSON"),
        (httpx.Response(503, text="busy"), "HTTP 503"),
    ],
)
def test_streams_that_break(answer: httpx.Response, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        _run(_text(lambda _: answer, Sampling(max_tokens=5)))


def test_a_begun_answer_is_continued() -> None:
    def chat(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
        return _stream(_delta("Paris", "stop"))

    async def ask() -> Chunk:
        engine = await HttpEngine.connect("http://x", transport=_server(chat))
        return await collect(engine.generate([*_ASK, {"role": "assistant", "content": "It is"}], Sampling(5)))

    assert _run(ask()).text == "Paris"


def test_a_model_that_is_not_served() -> None:
    with pytest.raises(ModelError, match="does not serve model 'z': it serves m, n"):
        _run(HttpEngine.connect("http://x", model="z", transport=_server(lambda _: httpx.Response(200))))


def test_a_server_that_is_something_else() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with pytest.raises(EngineError, match="not as an OpenAI-compatible server"):
        _run(HttpEngine.connect("http://x", transport=page))


def test_nobody_there() -> None:
    with pytest.raises(EngineError, match=r"no engine at http://127\.0\.0\.1:9"):
        _run(HttpEngine.connect("http://127.0.0.1:9"))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREC_ENGINE_KEY", "secret")

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        return httpx.Response(200, json=_MODELS)

    assert _run(HttpEngine.connect("http://x", transport=httpx.MockTransport(answer))).model == "m"


def test_an_adapter_is_loaded_scored_with_and_unloaded_by_a_name_of_its_own() -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def chat(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append((request.url.path, body))
        if request.url.path != "/v1/chat/completions":
            return httpx.Response(200, text="Success")  # vLLM answers with plain text
        if "stream" in body:
            return _stream({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]})
        return _top(("token_id:65", -1.0), ("token_id:66", -2.0))

    async def work() -> None:
        engine = await HttpEngine.connect("http://x", transport=_server(chat))
        adapted = await Adapted.load(engine, Lora("m+1", Path("/adapters/1"), 8))
        again = await Adapted.load(engine, Lora("m+1", Path("/adapters/1"), 8))
        assert adapted.model == "m+1"
        await adapted.score_labels(_ASK, ["A", "B"])
        await collect(adapted.generate(_ASK, Sampling(5)))
        await engine.score_labels(_ASK, ["A", "B"])
        assert not await again.is_loaded()  # this server says that it serves m and n
        await adapted.unload()

    _run(work())
    paths = [path for path, _ in asked]
    assert paths == ["/v1/load_lora_adapter"] * 2 + ["/v1/chat/completions"] * 3 + ["/v1/unload_lora_adapter"]
    name, other = asked[0][1]["lora_name"], asked[1][1]["lora_name"]
    assert name != other
    assert asked[0][1]["lora_path"] == "/adapters/1"
    assert [body["model"] for _, body in asked[2:5]] == [name, "m", "m"]
    assert asked[5][1] == {"lora_name": name}


def test_an_adapter_writes_what_it_was_trained_to_write() -> None:
    """Sentences where it was trained on reasons; what follows a schema is the model's own."""
    asked: list[str] = []

    def chat(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content)["model"])
        return _stream({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]})

    async def work() -> None:
        engine = await HttpEngine.connect("http://x", transport=_server(chat))
        for writes in (True, False):
            adapted = Adapted(engine, "m+1", "m+1:0", writes=writes)
            await collect(adapted.generate(_ASK, Sampling(5)))
            await collect(adapted.generate(_ASK, Sampling(5, schema={"type": "array"})))

    _run(work())
    assert asked == ["m+1:0", "m", "m", "m"]


def test_a_server_that_takes_no_adapters_is_told_how_it_would() -> None:
    async def work() -> None:
        engine = await HttpEngine.connect(
            "http://x", transport=_server(lambda _: httpx.Response(404, text="Not Found"))
        )
        adapted = Adapted(engine, "m+1", "m+1:0")
        await adapted.unload()  # it is not there, as was wanted
        await Adapted.load(engine, Lora("m+1", Path("/adapters/1"), 8))

    with pytest.raises(EngineError, match=r"HTTP 404 .*: start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"):
        _run(work())
