"""Tables of the rules service's own database."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Integer, String, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import new_metadata
from shared.messaging.tables import messaging_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)

SCANNERS = Table(
    "scanners",
    METADATA,
    Column("scanner_id", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("settings", JSONB, nullable=False),
)
"""Copy of the `scanners` topic."""

RULE_SETS = Table(
    "rule_sets",
    METADATA,
    Column("scanner_id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("author", String(300), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("rules", JSONB, nullable=False),
    ForeignKeyConstraint(["scanner_id"], ["scanners.scanner_id"], ondelete="CASCADE"),
)
"""Every version of every set; the newest is in force, a row is never changed."""

RULE_INDEX = Table(
    "rule_index",
    METADATA,
    Column("rule_id", String(100), primary_key=True),
    Column("scanner_id", String(100), nullable=False),
    ForeignKeyConstraint(["scanner_id"], ["scanners.scanner_id"], ondelete="CASCADE"),
    Index(None, "scanner_id"),
)
"""Which scanner a rule of today's sets belongs to."""

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("mail_id", String(100), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("scanner_id", String(100), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("rule_set_version", Integer, nullable=True),
    Column("trace", JSONB, nullable=False),
    Column("command_id", String(100), nullable=False),
    Column("command", JSONB, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("outcome", JSONB, nullable=True),
    Column("outcome_revision", Integer, nullable=False, server_default="0"),
    Index(None, "scanner_id", "decided_at"),
)
"""One per mail and run: the first that was inserted, for ever."""
