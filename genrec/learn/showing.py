"""What people read of an adapter and its verdict."""

from __future__ import annotations

from genrec.learn.adapter import Adapter
from genrec.learn.gate import Side, Verdict
from genrec.learn.told import Told
from genrec.terminal import Terminal


def show_adapter(screen: Terminal, adapter: Adapter) -> None:
    """What it was trained on, and how validation fared at its best step, in each phase."""
    said = adapter.manifest
    teacher = f" {said.teacher.name}" if said.teacher else ""
    reasons = ", ".join(f"{count} reasons ({origin}{teacher})" for origin, count in said.reasons.items())
    counts = ", ".join(f"{count} {part}" for part, count in said.examples.items())
    screen.line(f"trained on {counts}, {reasons or 'no reasons'}, {said.pairs} lists with something that was left")
    screen.line("; ".join(f"{name} {value:.4f}" for name, value in said.figures.items()))
    screen.line()


def show_verdict(screen: Terminal, version: str, verdict: Verdict) -> None:
    """What the gate found, and what it says."""
    screen.table([_side("now", verdict.current), _side("adapter", verdict.candidate)])
    screen.line(
        f"\n{verdict.users} users whom it never saw, {verdict.lists} lists; "
        f"{verdict.difference:+.4f} ({verdict.interval[0]:+.4f} to {verdict.interval[1]:+.4f}, p {verdict.p:.4f}); "
        f"the retriever alone: {verdict.retriever:.4f}"
    )
    for gap in verdict.gaps:
        screen.line(f"gap by {gap.attribute}: {gap.current:.4f} now, {gap.candidate:.4f} with the adapter")
    screen.line(_told(verdict.told) if verdict.told else "reasons are the base model's, with and without the adapter")
    screen.line(f"{verdict.canaries} canary prompts")
    for cause in verdict.refused:
        screen.line(f"refused: {cause}")
    screen.line(
        f"adapter {version} stays a candidate" if verdict.refused else f"it wins: genrec train promote {version}"
    )


def _side(which: str, side: Side) -> dict[str, str]:
    return {
        "": which,
        "adapter": side.name,
        "weight": f"{side.weight:g}",
        "NDCG@10 of the lists": f"{side.ndcg:.4f}",
        "of the model alone": f"{side.alone:.4f}",
    }


def _told(told: Told) -> str:
    counts = ", ".join(f"{told.current[one]} -> {told.candidate[one]} {one}" for one in told.current)
    low, high = told.passed.interval
    return (
        f"reasons for {told.users} of these users, {told.prompts} prompts: {counts}; "
        f"passed {told.passed.difference:+.1%} of a user's ({low:+.1%} to {high:+.1%}, p {told.passed.p:.4f})"
    )
