"""What went wrong in a database, as an error of genrec that names the cure and quotes nothing of what rows hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from genrec.errors import DataError, StoreError

_SQLITE_CURES = {
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_READONLY: "let this process write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "let this process write the file and its folder",
    sqlite3.SQLITE_IOERR: "see whether the disk is full or broken",
    sqlite3.SQLITE_CORRUPT: "the file is damaged, restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is damaged or no database, restore a backup",
}
_POSTGRES_CURES = {
    "25": "give the URL of a server that can be written",
    "28": "correct the user or password",
    "3D": "make the database",
    "42": "let the user make and use tables",
    "53": "make room on its disk, or allow more connections",
    "XX": "its files are damaged, restore a backup",
}
"""By the class of an SQLSTATE."""
_NO_RIGHT = "42501"
_WAIT = "the same can be sent again when that is over"
_NO_TEXT = "Could not decode to UTF-8"
"""How a message of sqlite3 begins that goes on with what the row holds."""


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn what the database `name` throws into StoreError, or DataError where the fault is in what was sent."""
    try:
        yield
    except sqlite3.Error as error:  # outside of any statement of SQLAlchemy
        raise _store_error(name, error) from error
    except UnicodeDecodeError as error:  # sqlite3 quotes a damaged schema, and what it quotes is no text
        raise StoreError(f"{name}: its schema is no text: {_SQLITE_CURES[sqlite3.SQLITE_CORRUPT]}") from error
    except exc.TimeoutError as error:
        raise StoreError(f"{name}: too many wait for it already: {_WAIT}") from error
    except (exc.DataError, UnicodeEncodeError) as error:
        raise DataError(f"{name} holds no such text: {_first_line(error)}: send valid text") from error
    except exc.DBAPIError as error:
        if isinstance(error, (exc.IntegrityError, exc.ProgrammingError)) and _state(error.orig) != _NO_RIGHT:
            raise  # a wrong statement is our fault, and no second try cures it
        raise _store_error(name, error.orig or error) from error


def _store_error(name: str, error: BaseException) -> StoreError:
    if str(error).startswith(_NO_TEXT):
        return StoreError(f"{name}: a row is no text: {_SQLITE_CURES[sqlite3.SQLITE_CORRUPT]}")
    return StoreError(f"{name}: {_first_line(error)}: {_cure(error)}")


def _cure(error: BaseException) -> str:
    if isinstance(error, sqlite3.Error):
        return _SQLITE_CURES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, _WAIT)
    return _POSTGRES_CURES.get(_state(error)[:2], _WAIT)


def _state(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""


def _first_line(error: BaseException) -> str:
    """The cause; what PostgreSQL adds on further lines may quote what people did."""
    return next(iter(str(error).splitlines()), type(error).__name__)
