"""What Prometheus reads at /metrics. No label names a user, an item or a text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from genrec.types import Fallback, Recommendation

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_STEPS = ("retrieve", "render", "rank", "explain", "total")


class Metrics:
    """Counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = {"namespace": "genrec", "registry": self._registry}
        self.requests = Counter("requests", "Answers", ["method", "route", "status"], **own)
        self.seconds = Histogram("request_seconds", "Time to answer", ["route"], buckets=_BUCKETS, **own)
        self.steps = Histogram("step_seconds", "Time of a step", ["step"], buckets=_BUCKETS, **own)
        self.fallbacks = Counter("fallbacks", "Answers without the model", ["stage", "cause"], **own)
        self.rejected = Counter("rejected_reasons", "Sentences of the model that did not pass the check", **own)
        self.tokens = Counter("tokens", "Tokens of the model", ["kind"], **own)
        self.events = Counter("events_acknowledged", "Events that are on disk", **own)
        self.unkept = Counter("unkept_recommendations", "Answers that the database did not take", **own)
        self.running = Gauge("recommendations_running", "Recommendations at work", **own)
        self.waiting = Gauge("recommendations_waiting", "Recommendations in line", **own)

    def count(self, answer: Recommendation) -> None:
        """Take up one recommendation."""
        for step in _STEPS:
            self.steps.labels(step).observe(getattr(answer.timings_ms, step) / 1000)
        self.count_fallback(answer.fallback)
        self.rejected.inc(len(answer.trace.rejected_reasons))
        for kind, count in answer.usage.model_dump().items():
            self.tokens.labels(kind.removesuffix("_tokens")).inc(count)

    def count_fallback(self, fallback: Fallback | None) -> None:
        """The class of the cause is a label; its message is not, for it may hold anything."""
        if fallback:
            self.fallbacks.labels(fallback.stage, fallback.cause.partition(":")[0]).inc()

    def text(self) -> bytes:
        """Everything in the format of Prometheus."""
        return generate_latest(self._registry)
