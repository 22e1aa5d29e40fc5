"""genrec: a prompt-based generative recommender whose reasons are checked against evidence.

from genrec import Event, Item, Recommender, Store, User

store = Store(items=[...], users=[...], events=[...])
with Recommender.from_store(store) as recommender:
    answer = recommender.recommend("ann", n=5)
"""

from genrec.config import Config
from genrec.errors import (
    AnswerError,
    Conflict,
    DataError,
    EngineBusy,
    EngineError,
    EngineTimeout,
    GenrecError,
    ModelError,
    NotFound,
    PromptError,
    StoreError,
)
from genrec.recommender import Recommender
from genrec.store import Store, import_lastfm_hetrec, import_movielens_100k, read_folder, write_folder
from genrec.types import Evidence, RankedItem, Reason, Recommendation, Trace
from retrieval import Between, Candidate, Context, Event, Filter, Item, Policy, User, Weights

__version__ = "0.1.0"

__all__ = [
    "AnswerError",
    "Between",
    "Candidate",
    "Config",
    "Conflict",
    "Context",
    "DataError",
    "EngineBusy",
    "EngineError",
    "EngineTimeout",
    "Event",
    "Evidence",
    "Filter",
    "GenrecError",
    "Item",
    "ModelError",
    "NotFound",
    "Policy",
    "PromptError",
    "RankedItem",
    "Reason",
    "Recommendation",
    "Recommender",
    "Store",
    "StoreError",
    "Trace",
    "User",
    "Weights",
    "import_lastfm_hetrec",
    "import_movielens_100k",
    "read_folder",
    "write_folder",
]
