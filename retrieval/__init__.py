"""Retrieval: who the user is and what they did → candidate items, each with the signals that chose it.

Knows the world (items, users, events, context); knows nothing of prompts or language models.
"""

from retrieval.encoder import Encoder, SentenceEncoder
from retrieval.retriever import Query, Retriever
from retrieval.types import Candidate, Context, Contribution, Event, Item, User

__all__ = [
    "Candidate",
    "Context",
    "Contribution",
    "Encoder",
    "Event",
    "Item",
    "Query",
    "Retriever",
    "SentenceEncoder",
    "User",
]
