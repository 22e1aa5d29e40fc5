"""A data folder on disk: JSON lines, CSV or Parquet with the same columns, and `sequences.tsv`."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.lib
import pyarrow.parquet
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from genrec.errors import DataError
from genrec.store.memory import Store
from retrieval.types import Event, Item, User

_R = TypeVar("_R", bound=BaseModel)
_FORMATS = ("jsonl", "csv", "parquet")
_NESTED = {"attributes", "context", "categories"}
_NO_EVENTS: tuple[Event, ...] = ()


def read_folder(folder: Path) -> Store:
    """Read `items`, and where they are there `users` and `events` (or `sequences.tsv`).

    Raises:
        DataError: the folder or its items are missing, a file stands there in two formats, or a line or `genrec.yaml`
            cannot be read; the message names file and line.
    """
    if not folder.is_dir():
        raise DataError(f"no data folder at {str(folder)!r}: give a folder that holds items.jsonl")
    items = _find(folder, "items")
    if items is None:
        raise DataError(f"{folder} holds no items.jsonl, items.csv or items.parquet: every folder needs one")
    users, events, sequences = _find(folder, "users"), _find(folder, "events"), folder / "sequences.tsv"
    if events and sequences.exists():
        raise DataError(f"{folder} holds both {events.name} and sequences.tsv: keep one of the two")
    return Store(
        _read(items, Item),
        _read(users, User) if users else (),
        _read(events, Event) if events else _sequences(sequences) if sequences.exists() else _NO_EVENTS,
        people=_settings(folder).people,
    )


def folder_pack(folder: Path) -> str | None:
    """The prompt pack that the folder's `genrec.yaml` names (`pack: movies`); None without such a file.

    Raises:
        DataError: the file is not YAML or holds another key.
    """
    return _settings(folder).pack


class _Settings(BaseModel):
    """What a data folder says about itself; `people: true` where an item and a user with the same id are one person."""

    model_config = ConfigDict(extra="forbid")

    pack: str | None = None
    people: bool = False


def _settings(folder: Path) -> _Settings:
    path = folder / "genrec.yaml"
    if not path.exists():
        return _Settings()
    try:
        return _Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}") from error


def write_folder(
    folder: Path, tables: Mapping[str, Iterable[BaseModel]], *, pack: str | None = None, people: bool = False
) -> None:
    """Write `NAME.jsonl` for each table into a new folder, and `genrec.yaml` where a pack is named or items are people.

    All of it is written or, on any error, nothing.

    Raises:
        DataError: the folder is there already, or the disk refuses (full, read-only).
    """
    if folder.exists():
        raise DataError(f"{str(folder)!r} is there already: name a folder that is not, or remove it first")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, records in tables.items():
                _write(draft / f"{name}.jsonl", (r.model_dump_json(exclude_defaults=True) for r in records))
            if settings := [f"pack: {pack}"] * bool(pack) + ["people: true"] * people:
                _write(draft / "genrec.yaml", settings)
            draft.chmod(0o755)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write {str(folder)!r}: {error.strerror}; nothing was left there") from error


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _find(folder: Path, name: str) -> Path | None:
    found = [path for suffix in _FORMATS if (path := folder / f"{name}.{suffix}").exists()]
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}: keep one of the two")
    return found[0] if found else None


def _read(path: Path, record: type[_R]) -> Iterator[_R]:
    rows = {".jsonl": _json_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}[path.suffix]
    for where, row in rows(path):
        try:
            yield record.model_validate(row)
        except ValidationError as error:
            raise DataError(f"{path}, {where}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing wrong with a record, on one line."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(map(str, problem["loc"])) or "record"
    if problem["type"] == "extra_forbidden":
        return f"unknown field {field!r}: remove it, or put what describes an item or user under 'attributes'"
    if problem["type"] == "missing":
        return f"field {field!r} is missing"
    return f"field {field!r} is {problem['input']!r}: {problem['msg']}"


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in _lines(path):
        try:
            yield f"line {number}", json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON: {error.msg} at column {error.colno}") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank; a wrong encoding is named by its line."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line {number}: not UTF-8: save the file as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = list(_lines(path))
    reader = csv.DictReader((line for _, line in lines), strict=True)
    try:
        for number, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, row {number}: {len(reader.fieldnames or ())} columns expected, as in the header"
                )
            yield f"row {number}", _unflatten(row, f"{path}, row {number}")
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: not CSV: {error}") from error


def _unflatten(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """A CSV row as a record: empty is absent, `attributes.year` is nested, `categories` part at `|`."""
    record: dict[str, Any] = {}
    for column, text in row.items():
        outer, _, inner = column.partition(".")
        if text == "":
            continue
        if inner:
            record.setdefault(outer, {})[inner] = text
        elif column == "categories":
            record[column] = [part.strip() for part in text.split("|")]
        elif column in _NESTED:
            try:
                record[column] = json.loads(text)
            except json.JSONDecodeError as error:
                raise DataError(f"{where}: column {column!r} holds {text!r}, which is not JSON") from error
        else:
            record[column] = text
    return record


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise DataError(f"{path}: not Parquet: {str(error).splitlines()[0]}") from error
    for number, row in enumerate(table.to_pylist(), start=1):
        # A struct column lists every field of every row: the absent ones are null.
        yield (
            f"row {number}",
            {
                name: {key: inner for key, inner in value.items() if inner is not None}
                if isinstance(value, dict)
                else value
                for name, value in row.items()
                if value is not None
            },
        )


def _sequences(path: Path) -> Iterator[Event]:
    """`user_id`, tab, item ids oldest first, separated by spaces; each becomes a `view` without a time."""
    for number, line in _lines(path):
        user_id, _, item_ids = line.partition("\t")
        if number == 1 and user_id == "user_id":
            continue
        if not user_id or not item_ids.strip():
            raise DataError(f"{path}, line {number}: expected a user id, a tab and item ids, found {line[:60]!r}")
        for item_id in item_ids.split():
            yield Event(user_id=user_id, item_id=item_id, type="view")
