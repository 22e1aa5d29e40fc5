"""Structured lines about requests and failures: no texts, no ids of users or items, no secrets."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from genrec.errors import GenrecError
from genrec.server.trace import trace_id

_log = logging.getLogger("genrec.server")
_SPEAKING = ("genrec", "uvicorn")
"""Loggers whose messages hold nothing of anybody. Of others only their name and the place are said."""


class JsonLines(logging.Formatter):
    """One object a line; what a record carries in `fields` is added to it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **_said(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line |= described(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def begin_logging(stream: TextIO) -> None:
    """Send the log of the service, and what libraries warn of, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name == _log.name)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(logging.INFO)


def log_request(method: str, route: str, status: int, ms: float, tenant: str | None) -> None:
    """One line for each answer. `route` is the template, so that no id gets into it."""
    fields = {"method": method, "route": route, "status": status, "ms": round(ms, 1), "tenant": tenant}
    _log.info("request", extra={"fields": {"trace_id": trace_id(), **fields}})


def log_failure(error: BaseException) -> None:
    """An error that nobody foresaw: its class and the places it came by. Its message may hold anything."""
    _log.error("failure", extra={"fields": {"trace_id": trace_id(), **described(error)}})


def log_warning(message: str, error: BaseException) -> None:
    """Something that was got over."""
    _log.warning(message, extra={"fields": {"trace_id": trace_id(), "error": type(error).__name__}})


def log_swap(before: str, now: str) -> None:
    """Another adapter ranks."""
    _log.info("adapter", extra={"fields": {"before": before, "ranks": now}})


def log_stuck(production: str, ranks: str, error: Exception) -> None:
    """The adapter in production does not rank. What genrec says of an adapter holds nothing of anybody."""
    cause = str(error) if isinstance(error, GenrecError) else None
    fields = {"production": production, "ranks": ranks, "cause": cause, **described(error)}
    _log.warning("the adapter in production does not rank", extra={"fields": fields})


def _said(record: logging.LogRecord) -> dict[str, str]:
    if record.name.partition(".")[0] in _SPEAKING:
        return {"message": record.getMessage()}
    return {"message": "a library warns", "logger": record.name, "from": f"{record.pathname}:{record.lineno}"}


def described(error: BaseException) -> dict[str, Any]:
    """An error without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "at": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]}
