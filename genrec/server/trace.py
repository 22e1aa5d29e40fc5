"""The id that ties an answer, its log line, its errors and its spans together: the caller's, or a new one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.trace import format_trace_id

from genrec.tracing import request_span

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")


def trace_id() -> str:
    """The trace id of the request that is being answered; empty outside of one."""
    return _trace_id.get()


@contextmanager
def begin_trace(headers: Iterable[tuple[bytes, bytes]], *, recorded: bool) -> Iterator[None]:
    """Take the trace id of a `traceparent` header; make one where it names none. Where `recorded`, with a span."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    with request_span(named, recorded=recorded) as span:
        found = span.get_span_context().trace_id
        _trace_id.set(format_trace_id(found) if found else secrets.token_hex(16))
        yield
