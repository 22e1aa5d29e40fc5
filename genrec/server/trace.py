"""The id that ties an answer, its log line and its errors together: of the caller's W3C trace, or a new one."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_trace_id: ContextVar[str] = ContextVar("trace_id", default="")


def trace_id() -> str:
    """The trace id of the request that is being answered; empty outside of one."""
    return _trace_id.get()


def begin_trace(traceparent: bytes) -> str:
    """Take the trace id of a `traceparent` header; make one where it names none."""
    named = _TRACEPARENT.fullmatch(traceparent)
    found = named[1].decode() if named and named[1].strip(b"0") else secrets.token_hex(16)
    _trace_id.set(found)
    return found
