"""Records as the text of rows and back, and what both databases can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from genrec.errors import DataError, StoreError
from retrieval.types import Event

_T = TypeVar("_T", bound=BaseModel)
_START = datetime.min.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ID = 512
"""As long as an index of PostgreSQL takes, whatever the characters."""
_MOST_VALUES = 500
"""That one statement looks for; both databases have a limit."""


def encode(what: str, record: BaseModel | Mapping[str, Any]) -> str:
    """A record as JSON, without what it does not say.

    Raises:
        DataError: a number or text that JSON has no word for; the message names `what` holds it.
    """
    return _json(
        what, record.model_dump(mode="json", exclude_defaults=True) if isinstance(record, BaseModel) else dict(record)
    )


def encode_names(what: str, names: Sequence[str]) -> str | None:
    """Names as JSON, None for none. Raises DataError for text that cannot be kept."""
    if any("\0" in name for name in names):
        raise DataError(f"{what} has a name with a NUL, which PostgreSQL cannot keep: leave it out")
    return _json(what, names) if names else None


def decode(kind: type[_T], body: str) -> _T:
    """The record that a row holds. Raises StoreError where its bytes were changed by anybody else."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        cause = error.errors()[0]["msg"]
        raise StoreError(f"a row of {kind.__name__} is damaged: {cause}: restore a backup") from error


def decode_mapping(body: str) -> dict[str, Any]:
    """The object that a row holds. Raises StoreError as `decode` does."""
    try:
        value: dict[str, Any] = json.loads(body)
    except ValueError as error:
        raise StoreError(f"a row is damaged: {error}: restore a backup") from error
    return value


def same(body: str, other: str) -> bool:
    """Whether two records say the same, whatever the order of their fields."""
    return body == other or _sorted(body) == _sorted(other)


def check_id(field: str, value: str) -> None:
    """Raises DataError for an id that a database could not hold or find again."""
    if len(value) > _LONGEST_ID:
        raise DataError(f"{field} {value[:40] + '...'!r} has {len(value)} characters: {_LONGEST_ID} are the most")
    if "\0" in value:
        raise DataError(f"{field} {value!r} holds a NUL, which PostgreSQL cannot keep: leave it out")


def moment(event: Event) -> int:
    """What histories are ordered by: microseconds since 1970; events without a time are the oldest."""
    return ((event.timestamp or _START) - _EPOCH) // timedelta(microseconds=1)


def now() -> str:
    """This moment, as rows keep it."""
    return datetime.now(UTC).isoformat()


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Values in portions that one statement takes."""
    for start in range(0, len(values), _MOST_VALUES):
        yield values[start : start + _MOST_VALUES]


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, or put them in place of those with the same keys; all name the same columns, the others stay."""
    insert = _insert(connection, table)
    keys = list(table.primary_key)
    if rows:
        rest = {name: insert.excluded[name] for name in rows[0] if not table.c[name].primary_key}
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest), rows)


def add(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Add a row if none with its key is there: whether it was added."""
    added = _insert(connection, table).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(added, row).first() is not None


def _json(what: str, value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} cannot be kept: {error}: send finite numbers and valid text") from error
    return text


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _sorted(body: str) -> str:
    return json.dumps(decode_mapping(body), sort_keys=True)
