"""Spans of OpenTelemetry: what a request spent its time on, for whoever collects them, and nothing where nobody does.

No attribute names a user, an item or a text. Spans go to the application's own provider of OpenTelemetry where it has
one; `genrec.server.exporting` sends those of a service away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("genrec")
_w3c = TraceContextTextMapPropagator()


def record_with(provider: TracerProvider) -> None:
    """Give genrec's spans to this provider, and those of no library: they would say what people wrote."""
    global _tracer
    _tracer = provider.get_tracer("genrec")


@contextmanager
def span(name: str) -> Iterator[Span]:
    """A span inside that of the caller. Of an error it keeps the class: the message may hold anything."""
    with _tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield current
        except BaseException as error:  # whoever asked may have left: that is no failure
            current.set_attribute("error.type", type(error).__name__)
            if isinstance(error, Exception):
                current.set_status(StatusCode.ERROR)
            raise


@contextmanager
def request_span(headers: Mapping[str, str], *, recorded: bool = True) -> Iterator[Span]:
    """The span of a request that came in by HTTP: of the caller's trace where `traceparent` names one.

    With `recorded=False` it is only the caller's, or none.
    """
    parent = _w3c.extract(headers)
    if not recorded:
        yield trace.get_current_span(parent)
        return
    with _tracer.start_as_current_span(
        "request", parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as current:
        yield current


def outgoing() -> dict[str, str]:
    """Headers that make the spans of a server part of this trace; none where nobody collects it."""
    headers: dict[str, str] = {}
    _w3c.inject(headers)
    return headers
