"""Retrieval: who the user is and what they did → candidate items, each with the signals that chose it.

Knows the world (items, users, events, context); knows nothing of prompts or language models.
"""

from retrieval.choice import Policy
from retrieval.encoder import Encoder, SentenceEncoder
from retrieval.filters import Between, Filter
from retrieval.retriever import Query, Retriever
from retrieval.types import Candidate, Context, Contribution, Event, Item, User
from retrieval.weights import Weights

__all__ = [
    "Between",
    "Candidate",
    "Context",
    "Contribution",
    "Encoder",
    "Event",
    "Filter",
    "Item",
    "Policy",
    "Query",
    "Retriever",
    "SentenceEncoder",
    "User",
    "Weights",
]
