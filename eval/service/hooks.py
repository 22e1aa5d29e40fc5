"""What schemathesis has to know of requests that JSON Schema has no words for. It loads this as its hooks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

# "from 1970 on, and not in the future": JSON Schema knows no range of dates
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(1970, 1, 2), datetime(2026, 1, 1)).map(lambda time: time.replace(tzinfo=UTC).isoformat()),
)


@schemathesis.hook
def filter_body(_: Any, body: Any) -> bool:
    """No range that ends before it begins: JSON Schema compares no two fields."""
    return not any(low > high for low, high in _ranges(body))


def _ranges(part: Any) -> list[tuple[float, float]]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    found = [pair for each in inner for pair in _ranges(each)]
    match part:
        case {"low": int() | float() as low, "high": int() | float() as high}:
            return [*found, (low, high)]
    return found


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """An id in the body of a request that names one in its path is the same: JSON Schema knows nothing of paths."""
    if isinstance(case.body, dict):
        for field in case.path_parameters.keys() & {"item_id", "user_id"}:
            if isinstance(case.body.get(field), str | int | float):
                del case.body[field]
