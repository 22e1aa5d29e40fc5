"""The latest lists of a tenant, and the events that name them, found without reading all others."""

from __future__ import annotations

from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Make the indexes."""
    op.create_index("genrec_recommendations_by_time", "genrec_recommendations", ["tenant", "created_at"])
    op.create_index("genrec_events_of_list", "genrec_events", ["tenant", "recommendation_id"])
