"""Attributes that a user wants nobody to use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Make room for their names; on PostgreSQL out of its statistics, as all that is personal."""
    op.add_column("genrec_users", sa.Column("withheld", sa.Text(), nullable=True))
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE genrec_users ALTER COLUMN withheld SET STATISTICS 0")
