"""How much a service takes on at once, and the limits that hold before any work is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from retrieval.guards import Guards

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What whoever runs the service decides.

    `concurrency` recommendations run at once and `queue` more wait; the next one is refused at once. `rate` is how
    many requests a minute one key may send, each request of a batch counted; so many may come in one moment. `check_s`
    is how long the model has to show that it is there, and `keep_check_s` how long that is believed. `guards` limit
    what events of one user say to others; None counts them all.
    """

    concurrency: int = 8
    queue: int = 64
    rate: int = 1200
    body_bytes: int = 8 * MEGABYTE
    heartbeat_s: float = 10.0
    check_s: float = 5.0
    keep_check_s: float = 3.0
    guards: Guards | None = field(default_factory=Guards)
