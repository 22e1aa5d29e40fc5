"""MovieLens 100K → a data folder. The data set itself is not redistributed: bring your own copy."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genrec.store.folder import write_folder
from genrec.store.tables import Tables
from retrieval.types import AttributeValue, Event, Item, User

_GENRES = {"Children's": "Children", "Sci-Fi": "Science Fiction"}
_ARTICLE = re.compile(r"^(.+), (The|A|An|Les?|La|Los|Las|El|Il|Lo|Das|Der|Die|Det|Den|Een?|Une?)( \(.*\))?$")
"""`Truth About Cats & Dogs, The` is sorted by; people say `The Truth About Cats & Dogs`."""
_GENDERS = {"M": "male", "F": "female"}


def import_movielens_100k(source: Path, out: Path) -> dict[str, int]:
    """Read `ml-100k.item`, `.user` and `.inter` (atomic files) from `source`, write a data folder to `out`.

    Returns the number of items, users and events. Raises DataError, and then leaves nothing behind.
    """
    read = Tables(source, "MovieLens 100K", "ml-100k.item, ml-100k.user and ml-100k.inter").read
    tables: dict[str, list[Any]] = {
        "items": read("ml-100k.item", 4, _item),
        "users": read("ml-100k.user", 5, _user),
        "events": read("ml-100k.inter", 4, _event),
    }
    write_folder(out, tables, pack="movies")
    return {name: len(records) for name, records in tables.items()}


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
