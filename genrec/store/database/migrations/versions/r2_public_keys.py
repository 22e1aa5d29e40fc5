"""Keys that pages of some origins may hold, and the secret by which they prove whose list they ask for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """The keys of before are not public."""
    for name in ("origins", "signing_secret"):
        text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
        op.add_column("genrec_keys", sa.Column(name, text, nullable=False, server_default=""))
