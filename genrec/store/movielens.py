"""MovieLens 100K → a data folder. The data set itself is not redistributed: bring your own copy."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from genrec.errors import DataError
from genrec.store.folder import write_folder
from retrieval.types import AttributeValue, Event, Item, User

_R = TypeVar("_R", Item, User, Event)

_GENRES = {"Children's": "Children", "Sci-Fi": "Science Fiction"}
_ARTICLE = re.compile(r"^(.+), (The|A|An|Les?|La|Los|Las|El|Il|Lo|Das|Der|Die|Det|Den|Een?|Une?)( \(.*\))?$")
"""`Truth About Cats & Dogs, The` is sorted by; people say `The Truth About Cats & Dogs`."""
_GENDERS = {"M": "male", "F": "female"}


def import_movielens_100k(source: Path, out: Path) -> dict[str, int]:
    """Read `ml-100k.item`, `.user` and `.inter` (atomic files) from `source`, write a data folder to `out`.

    Returns the number of items, users and events. Raises DataError, and then leaves nothing behind.
    """
    tables: dict[str, list[Any]] = {
        "items": _read(source / "ml-100k.item", 4, _item),
        "users": _read(source / "ml-100k.user", 5, _user),
        "events": _read(source / "ml-100k.inter", 4, _event),
    }
    write_folder(out, tables, pack="movies")
    return {name: len(records) for name, records in tables.items()}


def _read(path: Path, columns: int, record: Callable[..., _R]) -> list[_R]:
    """A record of each row below the header line, which names each column with its type."""
    records = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
                if len(row) != columns:
                    raise DataError(f"{path}, line {number}: {len(row)} columns, expected {columns}")
                if number > 1:
                    records.append(_record(record, row, f"{path}, line {number}"))
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing: give the folder that holds ml-100k.item, ml-100k.user and ml-100k.inter"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return records


def _record(record: Callable[..., _R], row: list[str], where: str) -> _R:
    try:
        return record(*row)
    except (ValueError, KeyError, OverflowError) as error:
        raise DataError(f"{where}: not MovieLens 100K: {' | '.join(row)[:80]!r}") from error


def _item(item_id: str, title: str, year: str, genres: str) -> Item:
    attributes: dict[str, AttributeValue] = {"year": int(year)} if year.isdigit() else {}
    categories = tuple(_GENRES.get(genre, genre) for genre in genres.split() if genre != "unknown")
    return Item(item_id=item_id, title=_ARTICLE.sub(r"\2 \1\3", title), categories=categories, attributes=attributes)


def _user(user_id: str, age: str, gender: str, occupation: str, _zip_code: str) -> User:
    attributes: dict[str, AttributeValue] = {"age": int(age), "gender": _GENDERS[gender], "occupation": occupation}
    return User(user_id=user_id, attributes=attributes)


def _event(user_id: str, item_id: str, rating: str, seconds: str) -> Event:
    when = datetime.fromtimestamp(float(seconds), UTC)
    return Event(user_id=user_id, item_id=item_id, type="rate", timestamp=when, value=float(rating))
