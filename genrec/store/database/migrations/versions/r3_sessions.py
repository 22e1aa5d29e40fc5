"""Sessions of those who sign in with a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "genrec_sessions",
        *(_text("digest"), _text("key_id"), sa.Column("ends_at", sa.BigInteger, nullable=False)),
        sa.PrimaryKeyConstraint("digest"),
        sa.ForeignKeyConstraint(["key_id"], ["genrec_keys.key_id"], ondelete="CASCADE"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)
