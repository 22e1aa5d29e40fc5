"""Where behaviour comes from: a data folder, or a tenant of the service, whose lists were answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genrec.engine import measured_weight
from genrec.learn.examples import Served
from genrec.recommender import DEFAULT_PACK
from genrec.scene import UNMEASURED_WEIGHT
from genrec.store import Store, folder_model_weights, folder_pack, folder_weights, read_folder
from genrec.types import ShownReason
from retrieval import Weights


@dataclass(frozen=True)
class Source:
    """What happened, the lists that events answered, the prompts that serve, and the weights fitted to it all.

    `shown`: reasons that a model gave.
    """

    store: Store
    pack: str
    served: Served = field(default_factory=dict)
    shown: Sequence[ShownReason] = ()
    weights: Weights | None = None
    model_weights: dict[str, float] = field(default_factory=dict)

    def model_weight(self, model: str) -> float:
        """The share in the fused score that a recommender gives a model without an adapter."""
        fitted = self.model_weights.get(model, measured_weight(model))
        return UNMEASURED_WEIGHT if fitted is None else fitted


def from_folder(folder: Path) -> Source:
    """Raises DataError as `read_folder`."""
    return Source(
        read_folder(folder),
        folder_pack(folder) or DEFAULT_PACK,
        weights=folder_weights(folder),
        model_weights=folder_model_weights(folder),
    )


def from_database(url: str, name: str) -> Source:
    """A tenant, as it is now. Raises NotFound for one that there is not, DataError and StoreError as `Database`."""
    # SQLAlchemy takes a second to import, and a folder needs none.
    from genrec.store.database import Database

    database = Database.open(url)
    try:
        tenant = database.tenant(name)
        found = tenant.snapshot()
        store = Store(found.items, found.users, found.events, people=tenant.people)
        return Source(store, tenant.pack, tenant.answered(), tenant.shown_reasons())
    finally:
        database.close()
