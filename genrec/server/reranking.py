"""Documents that somebody sends, ordered by a query: by the real retriever and model, and forgotten at once."""

from __future__ import annotations

import asyncio
import math

from genrec.parts import build_retriever
from genrec.prompting import Pack
from genrec.recommender import Recommender
from genrec.server.admission import TimeLeft
from genrec.server.bodies import Document, RerankBody, Reranked, Reranking
from genrec.server.desk import Desk, Parts
from genrec.server.service import Service
from genrec.store import Store
from genrec.types import Recommendation
from retrieval import Item
from retrieval.cache import NoCache

_NOBODY = "nobody"
_LONGEST_TITLE = 120


async def rerank(service: Service, desk: Desk, asked: RerankBody, left: TimeLeft) -> Reranking:
    """Documents by a query, best first. Raises PromptError where the tenant's prompts cannot be used, StoreError."""
    pack = await desk.read(desk.prompts.pack, desk.prompts.served)
    texts = [document if isinstance(document, str) else document.text for document in asked.documents]
    recommender = await asyncio.to_thread(_recommender, service.parts, pack, desk.tenant.name, texts)
    top = min(asked.top_n or len(texts), len(texts))
    answer = await recommender.arecommend(
        _NOBODY, len(texts), instruction=asked.query, profiling=False, deadline_s=left()
    )
    service.metrics.count(answer)
    return Reranking(
        id=answer.id,
        model=answer.model,
        results=_results(answer, texts, top, with_text=asked.return_documents),
        usage=answer.usage,
        fallback=answer.fallback.model_dump() if answer.fallback else None,
        warnings=list(answer.warnings),
    )


def _recommender(parts: Parts, pack: Pack, salt: str, texts: list[str]) -> Recommender:
    """One catalogue of these documents, whose vectors nobody keeps."""
    items = [_item(place, text) for place, text in enumerate(texts)]
    store = Store(items)
    retriever = build_retriever(store, parts.encoder, lambda _: None, parts.weights, cache=NoCache())
    settings = {"explain": False, "candidates": len(texts), "cache_salt": salt}
    config = parts.config.model_copy(update=settings)
    return Recommender(store, retriever, pack, parts.engine, config, model_weights=parts.model_weights)


def _results(answer: Recommendation, texts: list[str], top: int, *, with_text: bool) -> list[Reranked]:
    """Scores as a share of those who had to choose: the logistic function of how far above the mean each is."""
    scores = [item.score for item in answer.items]
    mean = sum(scores) / len(scores)
    spread = math.sqrt(sum((score - mean) ** 2 for score in scores) / len(scores)) or 1.0
    return [
        Reranked(
            index=int(item.item_id),
            relevance_score=round(1 / (1 + math.exp((mean - item.score) / spread)), 6),
            document=Document(text=texts[int(item.item_id)]) if with_text else None,
        )
        for item in answer.items[:top]
    ]


def _item(place: int, text: str) -> Item:
    """The first line is the title, which a prompt shows first; it is never blank."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    title = first[:_LONGEST_TITLE] or "document"
    return Item(item_id=str(place), title=title, description="" if title == text.strip() else text)
