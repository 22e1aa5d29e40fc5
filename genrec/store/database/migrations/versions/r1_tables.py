"""The first tables. A step that has been released is never edited: what comes later is a step of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

_PERSONAL = {
    "genrec_items": ["item_id", "body"],
    "genrec_users": ["user_id", "body"],
    "genrec_events": ["event_id", "user_id", "item_id", "recommendation_id", "body"],
    "genrec_recommendations": ["recommendation_id", "user_id", "body", "request"],
    "genrec_feedback": ["recommendation_id", "item_id"],
}


def upgrade() -> None:
    """Make them."""
    _service()
    _catalogue()
    _events()
    _answers()
    _prompts()
    if op.get_context().dialect.name == "postgresql":
        _keep_out_of_statistics()


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=null)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _of_tenant() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant"], ["genrec_tenants.name"])


def _of(table: str, *columns: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant", *columns], [f"{table}.{column}" for column in ("tenant", *columns)])


def _service() -> None:
    op.create_table(
        "genrec_tenants",
        *(_text("name"), _text("pack"), sa.Column("people", sa.Boolean, nullable=False)),
        *(_number("seq"), _number("epoch"), _text("created_at")),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "genrec_keys",
        *map(_text, ("key_id", "tenant", "name", "digest", "scopes", "created_at")),
        sa.PrimaryKeyConstraint("key_id"),
        _of_tenant(),
        sa.UniqueConstraint("tenant", "name", name="genrec_keys_by_name"),
    )
    op.create_table("genrec_checks", _text("name"), _text("time"), sa.PrimaryKeyConstraint("name"))


def _catalogue() -> None:
    for table, key in (("genrec_items", "item_id"), ("genrec_users", "user_id")):
        op.create_table(
            table,
            *(_text("tenant"), _text(key), _number("seq"), _text("body")),
            sa.PrimaryKeyConstraint("tenant", key),
            _of_tenant(),
        )
        op.create_index(f"{table}_by_seq", table, ["tenant", "seq"], unique=True)


def _events() -> None:
    op.create_table(
        "genrec_events",
        *(_text("tenant"), _text("event_id"), _number("seq"), _text("user_id"), _text("item_id"), _number("moment")),
        *(_text("recommendation_id", null=True), _text("body"), _text("received_at")),
        sa.PrimaryKeyConstraint("tenant", "event_id"),
        *(_of_tenant(), _of("genrec_users", "user_id"), _of("genrec_items", "item_id")),
    )
    op.create_index("genrec_events_by_seq", "genrec_events", ["tenant", "seq"], unique=True)
    op.create_index("genrec_events_of_user", "genrec_events", ["tenant", "user_id", "moment", "seq"])
    op.create_index("genrec_events_of_item", "genrec_events", ["tenant", "item_id"])


def _answers() -> None:
    op.create_table(
        "genrec_recommendations",
        *map(_text, ("tenant", "recommendation_id", "user_id", "body", "request", "created_at")),
        sa.PrimaryKeyConstraint("tenant", "recommendation_id"),
        *(_of_tenant(), _of("genrec_users", "user_id")),
    )
    op.create_index("genrec_recommendations_of_user", "genrec_recommendations", ["tenant", "user_id"])
    op.create_table(
        "genrec_feedback",
        *map(_text, ("tenant", "recommendation_id", "item_id", "verdict", "given_at")),
        sa.PrimaryKeyConstraint("tenant", "recommendation_id", "item_id"),
        *(_of_tenant(), _of("genrec_recommendations", "recommendation_id")),
    )


def _prompts() -> None:
    op.create_table(
        "genrec_prompts",
        *map(_text, ("tenant", "name", "version", "files", "created_at")),
        sa.PrimaryKeyConstraint("tenant", "name", "version"),
        _of_tenant(),
    )
    op.create_table(
        "genrec_label_moves",
        *(_text("tenant"), _number("seq")),
        *map(_text, ("name", "label", "version", "time", "by")),
        sa.PrimaryKeyConstraint("tenant", "seq"),
        *(_of_tenant(), _of("genrec_prompts", "name", "version")),
    )
    op.create_index("genrec_label_moves_of", "genrec_label_moves", ["tenant", "name", "label", "seq"])


def _keep_out_of_statistics() -> None:
    """PostgreSQL copies frequent values into its statistics, where erasing a user does not reach them."""
    for table, columns in _PERSONAL.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
