"""Work on prompts: one after the other, for it takes a processor, which recommendations need too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from genrec.server.desk import Desk
from genrec.server.service import Service

_T = TypeVar("_T")


async def in_turn(service: Service, desk: Desk, work: Callable[[], _T]) -> _T:
    """What the work returns, which may read and write the tenant's prompts. Raises what it raises, and StoreError."""
    async with service.authoring:
        return await desk.write(work)
