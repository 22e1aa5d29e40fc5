"""MovieLens 100K → a data folder. The data set itself is not redistributed: bring your own copy."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genrec.errors import DataError
from genrec.store.folder import write_folder
from retrieval.types import AttributeValue, Event, Item, User

_GENRES = {"Children's": "Children", "Sci-Fi": "Science Fiction"}
_ARTICLE = re.compile(r"^(.+), (The|A|An|Les?|La|Los|Las|El|Il|Lo|Das|Der|Die|Det|Den|Een?|Une?)( \(.*\))?$")
"""`Truth About Cats & Dogs, The` is sorted by; people say `The Truth About Cats & Dogs`."""
_GENDERS = {"M": "male", "F": "female"}


def import_movielens_100k(source: Path, out: Path) -> dict[str, int]:
    """Read `ml-100k.item`, `.user` and `.inter` (atomic files) from `source`, write a data folder to `out`.

    Returns the number of items, users and events. Raises DataError, and then leaves nothing behind.
    """
    tables: dict[str, list[Any]] = {
        "items": list(_items(source / "ml-100k.item")),
        "users": list(_users(source / "ml-100k.user")),
        "events": list(_events(source / "ml-100k.inter")),
    }
    write_folder(out, tables, pack="movies")
    return {name: len(records) for name, records in tables.items()}


def _rows(path: Path, columns: int) -> Iterator[list[str]]:
    """The rows below the header line, which names each column with its type."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
                if len(row) != columns:
                    raise DataError(f"{path}, line {number}: {len(row)} columns, expected {columns}")
                if number > 1:
                    yield row
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing: give the folder that holds ml-100k.item, ml-100k.user and ml-100k.inter"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8") from error


def _items(path: Path) -> Iterator[Item]:
    for item_id, title, year, genres in _rows(path, 4):
        attributes: dict[str, AttributeValue] = {"year": int(year)} if year.isdigit() else {}
        categories = tuple(_GENRES.get(genre, genre) for genre in genres.split() if genre != "unknown")
        yield Item(item_id=item_id, title=_ARTICLE.sub(r"\2 \1\3", title), categories=categories, attributes=attributes)


def _users(path: Path) -> Iterator[User]:
    for user_id, age, gender, occupation, _zip_code in _rows(path, 5):
        yield User(
            user_id=user_id,
            attributes={"age": int(age), "gender": _GENDERS[gender], "occupation": occupation},
        )


def _events(path: Path) -> Iterator[Event]:
    for user_id, item_id, rating, seconds in _rows(path, 4):
        when = datetime.fromtimestamp(float(seconds), UTC)
        yield Event(user_id=user_id, item_id=item_id, type="rate", timestamp=when, value=float(rating))
