"""rank-llm in its own environment: lists of candidates in, orders and times out. Run by `eval.bench_rank`.

Imports nothing of genrec. One JSON object a line: first the model, vLLM's arguments and all requests, then a line
for each run; the answer to each is one line that begins with `RESULT `, because libraries print there too.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from time import perf_counter
from types import ModuleType
from typing import Any


def main() -> None:
    """Load the model, then rank all requests whenever a line asks for it."""
    given = json.loads(sys.stdin.readline())
    os.environ.update(given["environment"])
    import vllm

    _without_fid()
    from rank_llm.data import Candidate, Query, Request
    from rank_llm.rerank.listwise import RankListwiseOSLLM

    # rank-llm leaves no way to say these; the others run with the same.
    vllm.LLM = partial(_llm, vllm.LLM, given["arguments"])
    requests = [
        Request(
            Query(ask["query"], number), [Candidate(str(i), 0.0, {"contents": c}) for i, c in enumerate(ask["items"])]
        )
        for number, ask in enumerate(given["requests"])
    ]
    ranker = RankListwiseOSLLM(model=given["model"], window_size=given["window"], batch_size=len(requests))
    _say({"ready": True})
    for line in sys.stdin:
        _say(_rank(ranker, requests, **json.loads(line)))


def _rank(ranker: Any, requests: list[Any], *, logits: bool) -> dict[str, Any]:
    """All requests as one batch, with the prefix cache emptied before."""
    ranker._use_logits = logits
    ranker._vllm_handler._vllm.reset_prefix_cache()
    start = perf_counter()
    results = ranker.rerank_batch(requests, rank_end=len(requests[0].candidates), populate_invocations_history=True)
    seconds = perf_counter() - start
    calls = [call for result in results for call in result.invocations_history]
    return {
        "seconds": seconds,
        "prompt_tokens": sum(call.input_token_count for call in calls),
        "completion_tokens": sum(call.output_token_count for call in calls),
        "complete": sum(len({c.docid for c in r.candidates}) == len(requests[0].candidates) for r in results),
        "well_formed": sum(_well_formed(call.response, len(requests[0].candidates)) for call in calls),
    }


def _well_formed(response: str, size: int) -> bool:
    """The model named every passage once, before rank-llm filled in what was missing."""
    named = [part for part in response.replace(">", " ").split() if part.startswith("[") and part.endswith("]")]
    return len(named) == len(set(named)) == size


def _without_fid() -> None:
    """rank-llm imports its T5 models on the way, which need transformers 4; ranking by a decoder needs none of them."""
    stub = ModuleType("rank_llm.rerank.listwise.lit5.model")
    stub.__dict__.update(FiD=object, FiDCrossAttentionScore=object)
    sys.modules[stub.__name__] = stub


def _llm(cls: Any, ours: dict[str, Any], **theirs: Any) -> Any:
    return cls(**{**theirs, **ours})


def _say(answer: dict[str, Any]) -> None:
    print("RESULT " + json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
