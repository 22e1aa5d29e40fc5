"""An index in PostgreSQL: pgvector, for who runs a database already.

Cosine by inner product of unit vectors. An upsert is a transaction; `replace` fills a second table and swaps the
two in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, LiteralString

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql

from retrieval.encoder import Vectors
from retrieval.index.base import NARROW, Mask, Rows, Vector, check_shape, wide_search

_MOST_DIMENSIONS = 2000
"""What an HNSW index of pgvector takes of the type `vector`."""
_EF_SEARCH = 200
"""Candidates that a search of the graph keeps; pgvector allows up to 1000."""


class PostgresIndex:
    """Keeps vectors in one table of a database, made where it is missing. Not for several threads at once.

    `table` is the table's name, in the first schema of the search path.

    Raises:
        ValueError: too many dimensions, or the table holds vectors of another length.
        psycopg.Error: the database cannot be reached, or it lacks the extension `vector`.
    """

    def __init__(self, uri: str, dimensions: int, *, table: str = "genrec_vectors") -> None:
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise ValueError(f"{dimensions} dimensions: pgvector indexes 1 to {_MOST_DIMENSIONS}")
        self._dimensions, self._name = dimensions, table
        self._connection = psycopg.connect(uri, autocommit=True)
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(self._connection)
        with self._connection.transaction():
            if not self._one("SELECT to_regclass(%s)", [self._table.as_string()]):
                self._create(self._table)
                self._connect_graph(self._table)
        self._check_dimensions()

    def __len__(self) -> int:
        return int(self._one(sql.SQL("SELECT count(*) FROM {}").format(self._table)))

    def search(self, query: Vector, k: int, allowed: Mask) -> Rows:
        if np.count_nonzero(allowed) <= NARROW:
            return self._among(query, k, np.flatnonzero(allowed))
        return wide_search(partial(self._near, query), k, allowed, len(self))

    def vectors(self, rows: Rows) -> Vectors:
        text = sql.SQL("SELECT row, embedding FROM {} WHERE row = ANY(%s)").format(self._table)
        found: dict[int, Any] = dict(self._connection.execute(text, [rows.tolist()]).fetchall())
        if missing := [row for row in rows.tolist() if row not in found]:
            raise KeyError(f"row {missing[0]} has no vector in the index")
        vectors = [found[row].to_numpy() for row in rows.tolist()]
        return np.array(vectors, np.float32).reshape(len(rows), self._dimensions)

    def upsert(self, rows: Rows, vectors: Vectors) -> None:
        check_shape(rows, vectors, self._dimensions)
        text = sql.SQL(
            "INSERT INTO {} (row, embedding) VALUES (%s, %s) "
            "ON CONFLICT (row) DO UPDATE SET embedding = excluded.embedding"
        ).format(self._table)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(text, zip(rows.tolist(), np.asarray(vectors, np.float32), strict=True))

    def replace(self, rows: Rows, vectors: Vectors) -> None:
        check_shape(rows, vectors, self._dimensions)
        fresh = sql.Identifier(f"{self._name}_fresh")
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(fresh))
            self._create(fresh)
            with cursor.copy(sql.SQL("COPY {} (row, embedding) FROM STDIN (FORMAT BINARY)").format(fresh)) as copy:
                copy.set_types(["int8", "vector"])
                for row, vector in zip(rows.tolist(), np.asarray(vectors, np.float32), strict=True):
                    copy.write_row((row, vector))
            self._connect_graph(fresh)
            cursor.execute(sql.SQL("DROP TABLE {}").format(self._table))
            cursor.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(fresh, self._table))

    def delete(self, rows: Rows) -> None:
        self._connection.execute(sql.SQL("DELETE FROM {} WHERE row = ANY(%s)").format(self._table), [rows.tolist()])

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier(self._name)

    def _create(self, table: sql.Identifier) -> None:
        columns = sql.SQL("(row bigint PRIMARY KEY, embedding vector({}) NOT NULL)").format(self._dimensions)
        self._connection.execute(sql.SQL("CREATE TABLE {} {}").format(table, columns))

    def _connect_graph(self, table: sql.Identifier) -> None:
        """The graph's name is the database's choice, so that tables can be renamed."""
        self._connection.execute(sql.SQL("CREATE INDEX ON {} USING hnsw (embedding vector_ip_ops)").format(table))

    def _check_dimensions(self) -> None:
        text = "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding'"
        found = self._one(text, [self._table.as_string()])
        if found != self._dimensions:
            raise ValueError(
                f"table {self._name!r} holds vectors of {found} dimensions, not {self._dimensions}: "
                "another encoder wrote it; name another table or drop this one"
            )

    def _among(self, query: Vector, k: int, rows: Rows) -> Rows:
        """Exactly the nearest of some rows: the planner is kept from the graph, which might miss them."""
        text = sql.SQL(
            "WITH chosen AS MATERIALIZED (SELECT row, embedding FROM {} WHERE row = ANY(%s)) "
            "SELECT row FROM chosen ORDER BY embedding <#> %s, row LIMIT %s"
        ).format(self._table)
        return _rows(self._connection.execute(text, [rows.tolist(), query, k]).fetchall())

    def _near(self, query: Vector, n: int) -> Rows:
        text = sql.SQL("SELECT row FROM {} ORDER BY embedding <#> %s LIMIT %s").format(self._table)
        with self._connection.transaction():
            self._connection.execute(sql.SQL("SET LOCAL hnsw.ef_search = {}").format(_EF_SEARCH))
            self._connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            return _rows(self._connection.execute(text, [query, n]).fetchall())

    def _one(self, text: sql.Composed | LiteralString, values: Sequence[object] = ()) -> Any:
        """The one value of a query that has one row with one value."""
        [[value]] = self._connection.execute(text, values).fetchall()
        return value


def _rows(found: list[tuple[int]]) -> Rows:
    return np.array([row for [row] in found], np.int64)
