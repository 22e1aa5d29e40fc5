"""The tables. Every key and every reference begins with the tenant: no row can point at another tenant's.

A record is kept as the JSON text that it was sent as, so that it comes back as it was, attributes in their order and
times with their zone; what is searched by stands in columns of its own. `seq` is the tenant's counter when a row was
last written.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    Text,
    false,
)
from sqlalchemy.schema import UniqueConstraint

metadata = MetaData()


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    """Text in the order of its code points on both databases, so that pages of ids go on where they ended."""
    return Column(name, Text().with_variant(Text(collation="C"), "postgresql"), primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=False)


def _released() -> Column[bool]:
    """Whether somebody has said that bursts of this user, or of takes of this item, count."""
    return Column("released", Boolean, nullable=False, server_default=false())


def _tenant() -> Column[str]:
    return Column("tenant", None, ForeignKey("genrec_tenants.name"), primary_key=True, nullable=False)


def _of(table: str, column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", column], [f"{table}.tenant", f"{table}.{column}"])


tenants = Table(
    "genrec_tenants",
    metadata,
    _text("name", key=True),
    _text("pack"),
    Column("people", Boolean, nullable=False),
    _number("seq"),
    _number("epoch"),
    _text("created_at"),
    _text("contest", null=True),  # how versions of prompts compete, null where they do not
)

keys = Table(
    "genrec_keys",
    metadata,
    _text("key_id", key=True),
    Column("tenant", None, ForeignKey("genrec_tenants.name"), nullable=False),
    _text("name"),
    _text("digest"),
    _text("scopes"),
    _text("created_at"),
    _text("origins"),
    _text("signing_secret"),
    UniqueConstraint("tenant", "name", name="genrec_keys_by_name"),
)

sessions = Table(
    "genrec_sessions",
    metadata,
    _text("digest", key=True),
    Column("key_id", None, ForeignKey("genrec_keys.key_id", ondelete="CASCADE"), nullable=False),
    _number("ends_at"),  # seconds since 1970
)
"""Who signed in with a key: gone with the key."""

items = Table(
    "genrec_items",
    metadata,
    _tenant(),
    _text("item_id", key=True),
    _number("seq"),
    _text("body"),
    _released(),
    Index("genrec_items_by_seq", "tenant", "seq", unique=True),
)

users = Table(
    "genrec_users",
    metadata,
    _tenant(),
    _text("user_id", key=True),
    _number("seq"),
    _text("body"),
    Column("withheld", Text, nullable=True),  # names of attributes as JSON; putting the record leaves them
    _released(),
    Index("genrec_users_by_seq", "tenant", "seq", unique=True),
)

events = Table(
    "genrec_events",
    metadata,
    _tenant(),
    _text("event_id", key=True),
    _number("seq"),
    _text("user_id"),
    _text("item_id"),
    _number("moment"),  # microseconds since 1970, by which a history is ordered
    _text("recommendation_id", null=True),
    _text("body"),
    _text("received_at"),
    _of("genrec_users", "user_id"),
    _of("genrec_items", "item_id"),
    Index("genrec_events_by_seq", "tenant", "seq", unique=True),
    Index("genrec_events_of_user", "tenant", "user_id", "moment", "seq"),
    Index("genrec_events_of_item", "tenant", "item_id"),
    Index("genrec_events_of_list", "tenant", "recommendation_id"),
)

recommendations = Table(
    "genrec_recommendations",
    metadata,
    _tenant(),
    _text("recommendation_id", key=True),
    _text("user_id"),
    _text("body"),
    _text("request"),
    _text("created_at"),
    _text("arm", null=True),  # the version that was chosen for it where several compete
    Column("holdout", Boolean, nullable=True),
    _of("genrec_users", "user_id"),
    Index("genrec_recommendations_of_user", "tenant", "user_id"),
    Index("genrec_recommendations_by_time", "tenant", "created_at"),
    Index("genrec_recommendations_by_arm", "tenant", "arm", "created_at"),
)

feedback = Table(
    "genrec_feedback",
    metadata,
    _tenant(),
    _text("recommendation_id", key=True),
    _text("item_id", key=True),
    _text("verdict"),
    _text("given_at"),
    _of("genrec_recommendations", "recommendation_id"),
)

prompts = Table(
    "genrec_prompts",
    metadata,
    _tenant(),
    _text("name", key=True),
    _text("version", key=True),
    _text("files"),
    _text("created_at"),
)

label_moves = Table(
    "genrec_label_moves",
    metadata,
    _tenant(),
    _number("seq", key=True),
    _text("name"),
    _text("label"),
    _text("version"),
    _text("time"),
    _text("by"),
    ForeignKeyConstraint(
        ["tenant", "name", "version"], ["genrec_prompts.tenant", "genrec_prompts.name", "genrec_prompts.version"]
    ),
    Index("genrec_label_moves_of", "tenant", "name", "label", "seq"),
)

checks = Table("genrec_checks", metadata, _text("name", key=True), _text("time"))
"""One row, written to see whether the database can be."""
