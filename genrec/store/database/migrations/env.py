"""How Alembic runs the steps: on the connection, and in the transaction, of `genrec.store.database.migrating`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="genrec_revision")
context.run_migrations()
