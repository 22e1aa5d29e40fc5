"""What Prometheus reads at /metrics. No label names a user, an item or a text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from genrec.server.adapters import Standing
from genrec.server.settings import Settings
from genrec.types import Fallback, Recommendation

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_STEPS = ("retrieve", "render", "rank", "explain", "total")


class Metrics:
    """Counters of one service."""

    def __init__(self, settings: Settings, deadline_s: float) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, namespace="genrec", registry=self._registry)
        gauge = partial(Gauge, namespace="genrec", registry=self._registry)
        histogram = partial(Histogram, namespace="genrec", registry=self._registry, buckets=_BUCKETS)
        self.requests = counter("requests", "Answers", ["method", "route", "status"])
        self.seconds = histogram("request_seconds", "Time to answer", ["route"])
        self.steps = histogram("step_seconds", "Time of a step", ["step"])
        self.fallbacks = counter("fallbacks", "Answers without the model", ["stage", "cause"])
        self.failed = counter("recommendations_failed", "Recommendations that ended in an error", ["error"])
        self.refused = counter("recommendations_refused", "Refused at once, because the line was full")
        self.rejected = counter("rejected_reasons", "Sentences of the model that did not pass the check")
        self.tokens = counter("tokens", "Tokens of the model", ["kind"])
        self.events = counter("events_acknowledged", "Events that are on disk")
        self.unkept = counter("unkept_recommendations", "Answers that the database did not take")
        self.database_errors = counter("database_errors", "Calls that the database did not answer")
        self.running = gauge("recommendations_running", "Recommendations at work")
        self.waiting = gauge("recommendations_waiting", "Recommendations in line")
        self.ready = gauge("ready", "1 where a part answered when it was asked", ["part"])
        self._behind = gauge("adapter_behind", "1 while the adapter in production does not rank")
        self._erased = gauge("adapter_erased", "1 while an adapter ranks that saw somebody who was erased since")
        gauge("recommendations_line", "Recommendations that may be in line").set(settings.queue)
        gauge("deadline_seconds", "Time for one recommendation, waiting included").set(deadline_s)

    def count(self, answer: Recommendation) -> None:
        """Take up one recommendation."""
        for step in _STEPS:
            self.steps.labels(step).observe(getattr(answer.timings_ms, step) / 1000)
        self.count_fallback(answer.fallback)
        self.rejected.inc(len(answer.trace.rejected_reasons))
        for kind, count in answer.usage.model_dump().items():
            self.tokens.labels(kind.removesuffix("_tokens")).inc(count)

    def note_ready(self, parts: Mapping[str, str]) -> None:
        """What became of each part when it was asked."""
        for part, state in parts.items():
            self.ready.labels(part).set(state == "ok")

    def note_adapter(self, standing: Standing) -> None:
        """Which adapter ranks, and which should."""
        self._behind.set(bool(standing.problem))
        self._erased.set(standing.erased)

    def count_fallback(self, fallback: Fallback | None) -> None:
        """The class of the cause is a label; its message is not, for it may hold anything."""
        if fallback:
            self.fallbacks.labels(fallback.stage, fallback.cause.partition(":")[0]).inc()

    def text(self) -> bytes:
        """Everything in the format of Prometheus."""
        return generate_latest(self._registry)
