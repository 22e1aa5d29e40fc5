"""Two versions of prompts asked about the same users, while all else goes on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from genrec.comparing import Comparison, compare
from genrec.errors import Conflict, DataError
from genrec.prompting import Pack
from genrec.server.desk import Desk
from genrec.server.logs import log_warning

USERS = 40
"""As many as are asked for a verdict."""
_SEED = 20261125
_KEPT = 50

Which = tuple[str, str, str, str]
"""A tenant, a pack, and two of its versions."""


@dataclass
class Trial:
    """One comparison on its way: `found` or `failure` once it has ended."""

    done: int = 0
    of: int = 0
    found: Comparison | None = None
    failure: Exception | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.found is None and self.failure is None

    @property
    def too_few(self) -> bool:
        """Whether the tenant has too few users of whom something can be hidden."""
        return isinstance(self.failure, DataError)

    def progress(self, done: int, of: int) -> None:
        """Note how many answers are there."""
        self.done, self.of = done, of


@dataclass
class Trials:
    """What was compared since the service began, of each tenant one at a time."""

    _all: dict[Which, Trial] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def find(self, tenant: str, a: Pack, b: Pack) -> Trial | None:
        """The comparison of two versions, where somebody began one."""
        return self._all.get((tenant, a.name, a.version, b.version))

    def begin(self, desk: Desk, a: Pack, b: Pack) -> Trial:
        """Begin anew, or join the one that runs. Raises Conflict where another one of the tenant runs."""
        which = (desk.tenant.name, a.name, a.version, b.version)
        for other, trial in self._all.items():
            if trial.running and other == which:
                return trial
            if trial.running and other[0] == desk.tenant.name:
                raise Conflict(f"{other[2]} and {other[3]} are being compared: wait for their verdict")
        self._all.pop(which, None)
        begun = self._all[which] = Trial()
        self._forget()
        task = asyncio.create_task(_run(desk, a, b, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return begun

    def _forget(self) -> None:
        """The oldest ones that have ended, so that memory stays bounded."""
        ended = [which for which, trial in self._all.items() if not trial.running]
        for which in ended[: max(0, len(self._all) - _KEPT)]:
            del self._all[which]


async def _run(desk: Desk, a: Pack, b: Pack, trial: Trial) -> None:
    try:
        recommender, cases = await asyncio.to_thread(desk.held_out)
        drawn = random.Random(_SEED).sample(cases, min(USERS, len(cases)))
        trial.found = await compare(recommender, a, b, drawn, trial.progress)
    except Exception as error:
        log_warning("two versions of prompts were not compared", error)
        trial.failure = error
