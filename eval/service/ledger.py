"""What a service has acknowledged, and what may have become of requests that nobody answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, ...]
"""What kind of thing, whose, and which."""
GONE = "gone"


@dataclass
class Ledger:
    """The last word on each thing: what was acknowledged, or one of the values that were sent and not answered."""

    acknowledged: dict[Key, str] = field(default_factory=dict)
    unanswered: dict[Key, list[str]] = field(default_factory=dict)
    count: int = 0
    """Of acknowledged changes; a request may bring many."""

    def send(self, values: Mapping[Key, str]) -> None:
        """Before a request."""
        for key, value in values.items():
            self.unanswered.setdefault(key, []).append(value)

    def acknowledge(self, values: Mapping[Key, str]) -> None:
        """After it was answered with success."""
        self.count += len(values)
        for key, value in values.items():
            self.acknowledged[key] = value
            self.unanswered.pop(key, None)

    def join(self, other: Ledger) -> None:
        """Take up what another has noted of other things."""
        self.acknowledged |= other.acknowledged
        self.unanswered |= other.unanswered
        self.count += other.count

    def lost(self, found: Mapping[Key, str]) -> list[Key]:
        """Acknowledged things that are not as they were acknowledged, nor as anything says that was sent since."""
        return [key for key, value in self.acknowledged.items() if not self._explains(key, value, found)]

    def strange(self, found: Mapping[Key, str]) -> list[Key]:
        """Things that nobody sent."""
        return [key for key in found if key not in self.acknowledged and key not in self.unanswered]

    def _explains(self, key: Key, value: str, found: Mapping[Key, str]) -> bool:
        return found.get(key, GONE) in {value, *self.unanswered.get(key, ())}
