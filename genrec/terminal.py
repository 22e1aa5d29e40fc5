"""What the command prints: answers on stdout, progress on stderr, what libraries say in a log file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from genrec.comparing import Comparison
from genrec.types import Contrast, Explanation, Recommendation, WhyNot
from retrieval import Context, Event, User

_WIDTH_OF_PIPES = 120
_LONGEST_LOG = 10_000_000
"""Bytes; a log that is longer is begun anew by the next command."""


class Terminal:
    """Two streams: `out` for answers, `err` for progress."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._text = Console(file=out, markup=False, highlight=False, width=None if out.isatty() else _WIDTH_OF_PIPES)
        self._progress = Console(file=err, markup=False, highlight=False)
        self._spinner = self._progress.status("", spinner="dots")

    def status(self, line: str) -> None:
        """What is going on now; an empty line ends it."""
        if not self._progress.is_terminal:
            if line:
                self._progress.print(f"{line} ...", soft_wrap=True)
        elif line:
            self._spinner.update(f"{line} ...")
            self._spinner.start()
        else:
            self._spinner.stop()

    def note(self, line: str) -> None:
        """What people should know beside the answer."""
        self._spinner.stop()
        self._progress.print(line, soft_wrap=True)

    def json(self, value: BaseModel | Mapping[str, Any]) -> None:
        """One object on one line."""
        text = value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value, ensure_ascii=False)
        self._out.write(text + "\n")
        self._out.flush()

    def line(self, text: str = "") -> None:
        """Some text: wrapped where people read, whole where programs do."""
        self._text.print(text, soft_wrap=not self._out.isatty())

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows with the same keys, as columns."""
        table = Table(*rows[0], box=None, pad_edge=False) if rows else Table(box=None)
        for row in rows:
            table.add_row(*map(str, row.values()))
        self._text.print(table)

    def person(self, user: User, history: Sequence[Event], titles: Mapping[str, str], context: Context) -> None:
        """Who an answer is for, and what they did last."""
        attributes = ", ".join(f"{name} {value}" for name, value in user.attributes.items()) or "nothing known"
        self.line(f"{user.user_id}: {attributes}")
        for event in history[-5:]:
            value = "" if event.value is None else f" {event.value:g}"
            when = f", {event.timestamp:%Y-%m-%d}" if event.timestamp else ""
            self.line(f"   {event.type}{value}: {titles[event.item_id]}{when}")
        if fields := context.fields():
            self.line("   now: " + ", ".join(fields.values()))
        self.line()

    def recommendation(self, answer: Recommendation) -> None:
        """Items with their reasons, then how the answer came about."""
        for item in answer.items:
            self.line(f"{item.rank:2}. {item.title}  ({item.source}, {item.score:.3f})")
            if item.reason:
                self.line(f"    {item.reason.text}  [{item.reason.source}]")
            cited = "; ".join(f"{part.text} ({part.type} {part.weight:.2f})" for part in item.evidence)
            self.line(f"    evidence: {cited}")
        self.line()
        self.line(_account(answer))
        if answer.fallback:
            self.line(f"fallback: stage {answer.fallback.stage} failed: {answer.fallback.cause}")
        for warning in answer.warnings:
            self.line(f"warning: {warning}")
        self.line()

    def explanation(self, found: Explanation) -> None:
        """A reason for one item, and what it rests on."""
        self.line(f"{found.title}: {found.reason.text}  [{found.reason.source}]")
        for part in found.evidence:
            self.line(f"   {part.text} ({part.type}, mostly {part.signal}, {part.weight:.2f} of {found.score:.2f})")
        if found.rejected:
            self.line(f"refused: {found.rejected.text!r}: {found.rejected.cause}")
        if found.fallback:
            self.line(f"fallback: stage {found.fallback.stage} failed: {found.fallback.cause}")

    def why_not(self, found: WhyNot) -> None:
        """Where an item stands, what is above it, and what it lacks."""
        self.line(found.text)
        self.line()
        rows = [{"rank": above.rank, "score": f"{above.score:.3f}", "above it": above.title} for above in found.above]
        self.table([*rows, {"rank": found.rank or "-", "score": f"{found.score:.3f}", "above it": f"({found.title})"}])
        self.line()
        self.table(
            [
                {"signal": gap.signal, "this item": f"{gap.item:.3f}", "those above it": f"{gap.above:.3f}"}
                for gap in found.missing
            ]
        )

    def comparison(self, found: Comparison) -> None:
        """Two packs of prompts, figure by figure, and the verdict in a sentence."""
        self.line(
            f"model {found.model}; {found.users} users, {found.candidates} candidates each, the hidden one among them"
        )
        self.line()
        rows = [
            {
                "": name,
                f"a: {found.a.name}@{found.a.version}": f"{figure.a:.4f}",
                f"b: {found.b.name}@{found.b.version}": f"{figure.b:.4f}",
                "b - a": f"{figure.difference:+.4f}",
                "95%": f"{figure.interval[0]:+.4f} to {figure.interval[1]:+.4f}",
                "p": f"{figure.p:.4f}",
                "better": figure.winner,
            }
            for name, figure in found.figures.items()
        ]
        self.table(rows)
        self.line()
        if found.decided_by is None:
            self.line(f"No difference was shown by {found.users} users: ask more, or keep what you have.")
            return
        figure = found.figures[found.decided_by]
        cost = found.figures["tokens"]
        self.line(
            f"{found.winner} wins by {found.decided_by}: {abs(figure.difference):.4f} better, p {figure.p:.4f}; "
            f"b reads and writes {cost.difference:+.0f} tokens an answer against a."
        )

    def contrast(self, found: Contrast) -> None:
        """Two items, cause by cause."""
        self.line(found.text)
        self.line()
        rows = [(d.text, d.a, d.b) for d in found.differences]
        self.table(
            [
                {"because": text, found.a: f"{a:.3f}", found.b: f"{b:.3f}", "difference": f"{a - b:+.3f}"}
                for text, a, b in [*rows, ("all", found.score_a, found.score_b)]
            ]
        )


def _account(answer: Recommendation) -> str:
    """One line on model, prompts, time and tokens."""
    times, usage, trace = answer.timings_ms, answer.usage, answer.trace
    steps = ", ".join(f"{step} {getattr(times, step):.0f}" for step in ("retrieve", "render", "rank", "explain"))
    return (
        f"model {answer.model}, weight {trace.model_weight:g}; prompts {answer.prompt.name}@{answer.prompt.version}; "
        f"{times.total:.0f} ms ({steps}); {usage.prompt_tokens} prompt tokens, {usage.cached_tokens} cached, "
        f"{usage.completion_tokens} written; {len(trace.rejected_reasons)} reasons rejected"
    )


@contextmanager
def terminal(log: Path) -> Iterator[Terminal]:
    """The streams of this process for our own lines; everything else that is printed meanwhile goes to `log`.

    vLLM and what it starts print to stdout and stderr by file descriptor, so these are what is redirected.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    mode = "w" if log.exists() and log.stat().st_size > _LONGEST_LOG else "a"
    with (
        log.open(mode, encoding="utf-8") as sink,
        os.fdopen(os.dup(1), "w", encoding="utf-8") as out,
        os.fdopen(os.dup(2), "w", encoding="utf-8") as err,
    ):
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        shown = Terminal(out, err)
        try:
            yield shown
        finally:
            shown.status("")
            _let_go(out)
            _let_go(err)
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])


def _let_go(stream: TextIO) -> None:
    """Close quietly what nobody reads any more: a stream that could not be flushed fails again when it is closed."""
    try:
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
