"""What lint finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genrec.prompting.pack import UNRENDERED

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: an `error` stands in the way of `promote`, a `warning` does not.

    `sample` is the first request that shows it, `record` the first item or user of the demo data that does.
    """

    level: Level
    file: str
    problem: str
    line: int | None = None
    sample: str | None = None
    record: str | None = None

    def said(self, folder: Path) -> str:
        """All of it on one line, for a pack in this folder."""
        line = f", line {self.line}" if self.line else ""
        seen = f" (sample {self.sample})" if self.sample else f" ({self.record})" if self.record else ""
        return f"{folder / self.file}{line}: {self.problem}{seen}"


def tidied(found: Iterable[Finding]) -> list[Finding]:
    """Each fault once, errors first; of a line that does not render one cause, and of one with an error no warning."""
    once: dict[tuple[object, ...], Finding] = {}
    for one in found:
        cause = UNRENDERED if one.problem.startswith(UNRENDERED) else one.problem
        once.setdefault((one.level, one.file, one.line, cause), one)
    broken = {(one.file, one.line) for one in once.values() if one.level == "error" and one.line}
    kept = [one for one in once.values() if one.level == "error" or (one.file, one.line) not in broken]
    return sorted(kept, key=lambda one: one.level != "error")
