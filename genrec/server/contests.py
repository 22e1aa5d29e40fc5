"""Where a tenant's versions of prompts compete: how they stand, and which of them answers a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from genrec.contest import Contest, Counts
from genrec.prompting.versions import LABELS, Label
from genrec.server.prompts import Prompts
from genrec.store.database import Tenant
from genrec.types import ArmCount

_KEPT_S = 30.0
"""How long counts are believed: all lists of the tenant are looked at to make them."""


@dataclass(frozen=True)
class Standing:
    """`counts`: of users who explore, by label. `held_out`: of those who always get production."""

    contest: Contest
    versions: dict[Label, str]
    counts: Counts
    held_out: ArmCount


class Contests:
    """One tenant's. Every method may raise StoreError, and looks into the database."""

    def __init__(self, tenant: Tenant, prompts: Prompts) -> None:
        self._tenant, self._prompts = tenant, prompts
        self._known: tuple[float, Standing | None] | None = None

    def begin(self, contest: Contest) -> None:
        """Let the versions at `production` and `candidate` compete from now on."""
        self._tenant.set_contest(contest.model_dump())
        self._known = None

    def end(self) -> None:
        """Let production answer alone."""
        self._tenant.set_contest(None)
        self._known = None

    def standing(self) -> Standing | None:
        """How they stand, not older than half a minute; None where nothing competes."""
        if self._known is None or monotonic() - self._known[0] > _KEPT_S:
            self._known = (monotonic(), self._count())
        return self._known[1]

    def contest(self) -> Contest | None:
        """What was begun, whether there are two versions or not."""
        found = self._tenant.contest()
        return Contest.model_validate(found) if found else None

    def _count(self) -> Standing | None:
        contest, stand = self.contest(), self._prompts.labels(self._prompts.served)
        versions = {label: stand[label] for label in LABELS if label in stand}
        if contest is None or len(set(versions.values())) < len(LABELS):
            return None
        window = timedelta(hours=contest.window_hours)
        found = self._tenant.outcomes(list(versions.values()), window, datetime.now(UTC))
        nothing = ArmCount(lists=0, taken=0)
        counts = {label: found.get((version, False), nothing) for label, version in versions.items()}
        return Standing(contest, versions, counts, found.get((versions["production"], True), nothing))
