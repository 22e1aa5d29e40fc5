"""The truth of the service: items, users, events, recommendations, prompts and keys in SQLite or PostgreSQL.

from genrec.store.database import Database

database = Database.open("sqlite:///genrec.db")
tenant = database.create_tenant("acme", pack="shop")
"""

from genrec.store.database.database import Database
from genrec.store.database.records import (
    Changes,
    Erased,
    Feedback,
    Given,
    KeptVersion,
    Key,
    LabelMove,
    Mark,
    PublicKey,
    Recent,
    Saved,
    Scope,
    Snapshot,
    Stored,
    Verdict,
)
from genrec.store.database.tenant import Tenant

__all__ = [
    "Changes",
    "Database",
    "Erased",
    "Feedback",
    "Given",
    "KeptVersion",
    "Key",
    "LabelMove",
    "Mark",
    "PublicKey",
    "Recent",
    "Saved",
    "Scope",
    "Snapshot",
    "Stored",
    "Tenant",
    "Verdict",
]
