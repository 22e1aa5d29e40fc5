"""Tables of public data sets: rows parted by tabs below a header line, each made into a record."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from genrec.errors import DataError

_R = TypeVar("_R")


@dataclass(frozen=True)
class Tables:
    """The folder of a data set, its name as people know it, and the files it must hold, for messages."""

    folder: Path
    name: str
    files: str

    def read(self, file: str, columns: int, record: Callable[..., _R], encoding: str = "utf-8") -> list[_R]:
        """A record of each row below the header line. Raises DataError, which names the file and its line."""
        path = self.folder / file
        records = []
        try:
            with path.open(encoding=encoding, newline="") as lines:
                for number, row in enumerate(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
                    if len(row) != columns:
                        raise DataError(f"{path}, line {number}: {len(row)} columns, expected {columns}")
                    if number > 1:
                        records.append(self._record(record, row, f"{path}, line {number}"))
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing: give the folder that holds {self.files}") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8") from error
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        return records

    def _record(self, record: Callable[..., _R], row: list[str], where: str) -> _R:
        try:
            return record(*row)
        except (ValueError, KeyError, OverflowError) as error:
            raise DataError(f"{where}: not {self.name}: {' | '.join(row)[:80]!r}") from error
