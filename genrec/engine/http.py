"""A vLLM server, or any other that speaks the OpenAI chat API, by URL."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from genrec.engine.base import Chunk, LabelScores, Messages, Sampling, begins_answer, collect
from genrec.engine.gate import RUNNING, Gate
from genrec.errors import EngineError, ModelError
from genrec.tracing import outgoing
from genrec.types import Usage

_MOST_LOGPROBS = 20
"""What the OpenAI API returns at most. vLLM is asked for the labels themselves instead."""
_CONNECT_S = 5.0
_FOR_ADAPTERS = "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and --enable-lora --max-loras 2 --max-lora-rank RANK"


class HttpEngine:
    """One model on a server.

    On vLLM, label scores are exact: its `logprob_token_ids` names the labels. Elsewhere they come from the
    20 most likely tokens, and a label that is not among them gets the lowest of these as an upper bound.
    """

    def __init__(self, client: httpx.AsyncClient, model: str, *, root: str, is_vllm: bool, max_tokens: int) -> None:
        self._client = client
        self._model = model
        self._root = root
        self._is_vllm = is_vllm
        self._max_tokens = max_tokens
        self._label_ids: dict[str, int] = {}
        self._gate = Gate()

    @classmethod
    async def connect(
        cls, url: str, *, model: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Find out what serves at `url` (with or without `/v1`). The key is read from GENREC_ENGINE_KEY.

        Args:
            model: the name to ask for; the server's first model where it is None.

        Raises:
            EngineError: nothing answers there. ModelError: the model is not served there.
        """
        key = os.environ.get("GENREC_ENGINE_KEY")
        client = httpx.AsyncClient(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(None, connect=_CONNECT_S),  # the recommender holds the deadline
            limits=httpx.Limits(max_connections=RUNNING, max_keepalive_connections=RUNNING),
            transport=transport,
            event_hooks={"request": [_carry_trace]},
        )
        try:
            served = (await _get(client, "/v1/models")).json()["data"]
            chosen = next((entry for entry in served if model in {None, entry["id"]}), None)
            if chosen is None:
                names = ", ".join(entry["id"] for entry in served)
                raise ModelError(f"{url} does not serve model {model!r}: it serves {names or 'nothing'}")
            is_vllm = (await client.get("/version")).status_code == httpx.codes.OK
        except (KeyError, TypeError, ValueError) as error:
            await client.aclose()
            raise EngineError(f"{url} answers, but not as an OpenAI-compatible server: check the URL") from error
        except httpx.HTTPError as error:
            await client.aclose()
            raise EngineError(f"no engine at {url}: {_cause(error)}: start one, or check the URL") from error
        except BaseException:
            await client.aclose()
            raise
        name, longest = chosen["id"], chosen.get("max_model_len") or 4096
        return cls(client, name, root=chosen.get("root") or name, is_vllm=is_vllm, max_tokens=longest)

    @property
    def model(self) -> str:
        return self._model

    @property
    def root(self) -> str:
        return self._root

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    async def score_labels(
        self, messages: Messages, labels: Sequence[str], *, cache_salt: str | None = None, adapter: str | None = None
    ) -> LabelScores:
        request: dict[str, Any] = self._request(messages, Sampling(max_tokens=1, cache_salt=cache_salt))
        request["model"] = adapter or self._model
        request["logprobs"] = True
        if self._is_vllm:
            ids = [await self._label_id(label) for label in labels]
            request |= {"logprob_token_ids": ids, "return_tokens_as_token_ids": True}
            names = {f"token_id:{token}": label for token, label in zip(ids, labels, strict=True)}
        else:
            request["top_logprobs"] = _MOST_LOGPROBS
            names = {label: label for label in labels}
        answer = await self._post("/v1/chat/completions", request)
        try:
            top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            found = {names[entry["token"]]: entry["logprob"] for entry in top if entry["token"] in names}
            floor = min(entry["logprob"] for entry in top)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise EngineError("the server returned no log-probabilities: it does not suit label ranking") from error
        if self._is_vllm and len(found) < len(names):
            raise EngineError(f"the server returned {len(found)} of {len(names)} label log-probabilities")
        scores = {label: found.get(label, floor) for label in labels}
        return LabelScores(scores, _usage(answer.get("usage")), frozenset(labels) - found.keys())

    async def generate(
        self, messages: Messages, sampling: Sampling, *, adapter: str | None = None
    ) -> AsyncIterator[Chunk]:
        request = self._request(messages, sampling) | {
            "model": adapter or self._model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        reason, usage = None, Usage()
        async for event in self._stream("/v1/chat/completions", request):
            if event.get("usage"):
                usage = _usage(event["usage"])
            for choice in event.get("choices") or []:
                reason = choice.get("finish_reason") or reason
                if text := (choice.get("delta") or {}).get("content"):
                    yield Chunk(text)
        if reason is None:
            raise EngineError("the server ended its answer in the middle")
        yield Chunk("", reason, usage)

    async def load_adapter(self, name: str, folder: Path) -> None:
        """The server reads the folder itself, under the same path."""
        place = str(folder.resolve())
        try:
            answer = await self._client.post("/v1/load_lora_adapter", json={"lora_name": name, "lora_path": place})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise EngineError(
                f"the server does not take an adapter: {_cause(error)}: start vLLM with {_FOR_ADAPTERS}, and where it "
                f"sees {place}"
            ) from error

    async def has_adapter(self, name: str) -> bool:
        try:
            served = (await _get(self._client, "/v1/models")).json()["data"]
            return any(entry["id"] == name for entry in served)
        except httpx.HTTPError as error:
            raise EngineError(f"the engine failed: {_cause(error)}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise EngineError("the engine answered /v1/models with something else than models") from error

    async def unload_adapter(self, name: str) -> None:
        try:
            answer = await self._client.post("/v1/unload_lora_adapter", json={"lora_name": name})
            if answer.status_code != httpx.codes.NOT_FOUND:
                answer.raise_for_status()
        except httpx.HTTPError as error:
            raise EngineError(f"the server does not let go of an adapter: {_cause(error)}") from error

    async def count_tokens(self, messages: Messages) -> int:
        """Exact on vLLM; elsewhere an estimate from above, one token for three bytes."""
        if not self._is_vllm:
            return sum(len(message["content"].encode()) for message in messages) // 3
        answer = await self._post("/tokenize", {"model": self._model, "messages": list(messages)})
        return int(answer["count"])

    async def check(self) -> None:
        await collect(self.generate([{"role": "user", "content": "Hi"}], Sampling(max_tokens=1)))

    async def close(self) -> None:
        await self._client.aclose()

    def _request(self, messages: Messages, sampling: Sampling) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [dict(message) for message in messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        if begins_answer(messages):
            request |= {"add_generation_prompt": False, "continue_final_message": True}
        if sampling.cache_salt and self._is_vllm:  # others may refuse a field that they do not know
            request["cache_salt"] = sampling.cache_salt
        if sampling.schema:
            schema = {"name": "answer", "schema": dict(sampling.schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request

    async def _label_id(self, label: str) -> int:
        if label not in self._label_ids:
            request = {"model": self._model, "prompt": label, "add_special_tokens": False}
            tokens = (await self._post("/tokenize", request))["tokens"]
            if len(tokens) != 1:
                raise ModelError(f"label {label!r} is {len(tokens)} tokens for model {self._model!r}, not one")
            self._label_ids[label] = int(tokens[0])
        return self._label_ids[label]

    async def _post(self, path: str, request: Mapping[str, Any]) -> Any:
        try:
            async with self._gate.place():
                answer = await self._client.post(path, json=request)
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPError as error:
            raise EngineError(f"the engine failed: {_cause(error)}") from error
        except ValueError as error:
            raise EngineError(f"the engine answered {path} with something that is not JSON") from error

    async def _stream(self, path: str, request: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The JSON events of a streamed answer, up to `[DONE]`."""
        try:
            async with self._gate.place(), self._client.stream("POST", path, json=request) as answer:
                if answer.is_error:
                    await answer.aread()
                    answer.raise_for_status()
                async for line in answer.aiter_lines():
                    data = line.removeprefix("data:").strip()
                    if not line.startswith("data:") or data == "[DONE]":
                        continue
                    event = json.loads(data)
                    if "error" in event:
                        raise EngineError(f"the engine failed: {event['error']}")
                    yield event
        except httpx.HTTPError as error:
            raise EngineError(f"the engine failed: {_cause(error)}") from error
        except ValueError as error:
            raise EngineError("the engine streamed something that is not JSON") from error


async def _carry_trace(request: httpx.Request) -> None:
    """What the server does for this request belongs to the trace of whoever asked."""
    request.headers.update(outgoing())


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response:
    answer = await client.get(path)
    answer.raise_for_status()
    return answer


def _cause(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        said = " ".join(error.response.text.split())[:200]
        return f"HTTP {error.response.status_code} from {error.request.url.path}: {said}"
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _usage(usage: Mapping[str, Any] | None) -> Usage:
    usage = usage or {}
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=usage.get("prompt_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
    )
