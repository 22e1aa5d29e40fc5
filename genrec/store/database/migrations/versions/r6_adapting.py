"""Whose bursts count, which versions of prompts compete, and which list was made for that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Nobody is released, and nothing competes. On PostgreSQL the new index makes no statistics of ids."""
    for table in ("genrec_items", "genrec_users"):
        op.add_column(table, sa.Column("released", sa.Boolean(), nullable=False, server_default=sa.false()))
    for table, column in (("genrec_tenants", "contest"), ("genrec_recommendations", "arm")):
        text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
        op.add_column(table, sa.Column(column, text, nullable=True))
    op.add_column("genrec_recommendations", sa.Column("holdout", sa.Boolean(), nullable=True))
    op.create_index("genrec_recommendations_by_arm", "genrec_recommendations", ["tenant", "arm", "created_at"])
