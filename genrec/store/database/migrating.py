"""Bring a database to the tables of this genrec, step by step, all steps or none."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from genrec.errors import DataError
from genrec.store.database.link import Link

REVISIONS = "genrec_revision"
"""The table that says which step was the last."""
_LOCK = 0x67656E726563
"""A number for PostgreSQL by which one process at a time makes tables: the letters of genrec."""


def migrate(link: Link) -> None:
    """Make the tables, or change those of an older genrec.

    Raises:
        DataError: a newer genrec made them.
        StoreError: the database is locked, full or out of reach.
    """
    with link.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        _upgrade(connection, link.name)


def _upgrade(connection: Connection, name: str) -> None:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config)
    now = MigrationContext.configure(connection, opts={"version_table": REVISIONS}).get_current_revision()
    if now == steps.get_current_head():
        return
    if now and now not in {step.revision for step in steps.walk_revisions()}:
        raise DataError(f"{name} is at revision {now!r}, which a newer genrec made: install that one, or a later one")
    command.upgrade(config, "head")
