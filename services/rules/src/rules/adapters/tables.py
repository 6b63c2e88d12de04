"""Tables of the rules service's own database."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import new_metadata
from shared.erasure.tables import erased_table
from shared.messaging.tables import messaging_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)
ERASED = erased_table(METADATA)
NULLABLE_JSON = JSONB(none_as_null=True)
"""None is SQL's null, not JSON's."""

SCANNERS = Table(
    "scanners",
    METADATA,
    Column("scanner_id", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
)
"""Copy of the `scanners` topic. A deleted one keeps its row and its rule sets: the traces of its decisions are told from them."""

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
    Column("kind_reason", Text, nullable=False, server_default=""),
    Column("rule_set_version", Integer, nullable=True),
    Column("candidates", JSONB, nullable=False),
    Column("evidence", NULLABLE_JSON, nullable=True),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("archive_key", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("outcome", NULLABLE_JSON, nullable=True),
    Column("outcome_revision", Integer, nullable=False, server_default="0"),
    Column("acted_rule_id", String(100), nullable=True),
    Column("erased", Boolean, nullable=False, server_default=false()),
    Index(None, "scanner_id", "received_at"),
)
"""One per mail and run: the first that was inserted, for ever. What a command says beyond this is read from the mail again.

`evidence` is what the rules were asked and answered, without what the version of the set says itself (`rules.domain.evidence`); null where
no rule was asked. `acted_rule_id` is the rule that was counted as having acted on the mail.
An `erased` one says nothing of the mail any more.
"""

RULE_COUNTS = Table(
    "rule_counts",
    METADATA,
    Column("rule_id", String(100), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("slot", SmallInteger, primary_key=True),
    Column("matched", BigInteger, nullable=False, server_default="0"),
    Column("acted", BigInteger, nullable=False, server_default="0"),
    Column("last_matched_at", DateTime(timezone=True), nullable=True),
    Column("last_acted_at", DateTime(timezone=True), nullable=True),
)
"""How often a rule matched and acted, by day. `slot` is a number each process draws, so that replicas do not wait for one row."""

SIMULATIONS = Table(
    "simulations",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("scanner_id", String(100), nullable=False),
    Column("author", String(300), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("mails", JSONB, nullable=False),
    Column("base_version", Integer, nullable=False),
    Column("version", Integer, nullable=True),
    Column("rules", JSONB, nullable=False),
    Column("state", String(20), nullable=False, server_default="queued"),
    Column("holder", String(100), nullable=True),
    Column("until", DateTime(timezone=True), nullable=True),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=True),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("totals", JSONB, nullable=False, server_default="[]"),
    Column("error", Text, nullable=True),
    Column("finished_at", DateTime(timezone=True), nullable=True),
    Index(None, "created_at"),
    Index("ix_simulations_open", "created_at", postgresql_where=text("state in ('queued', 'running')")),
)
"""Rules tried on mails: a job each, run by whichever replica takes it. Removed after some days with its mails."""

SIMULATED_MAILS = Table(
    "simulated_mails",
    METADATA,
    Column("simulation_id", String(100), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("mail_id", String(100), nullable=True),
    Column("subject", Text, nullable=False, server_default=""),
    Column("sender", Text, nullable=False, server_default=""),
    Column("received_at", DateTime(timezone=True), nullable=True),
    Column("kind", String(40), nullable=False, server_default=""),
    Column("kind_reason", Text, nullable=False, server_default=""),
    Column("before", NULLABLE_JSON, nullable=True),
    Column("after", NULLABLE_JSON, nullable=True),
    Column("change", String(20), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("evidence", NULLABLE_JSON, nullable=True),
    ForeignKeyConstraint(["simulation_id"], ["simulations.id"], ondelete="CASCADE"),
)
"""What each mail would become."""

EXAMPLES = Table(
    "examples",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("scanner_id", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("mail_id", String(100), nullable=True),
    Column("raw", LargeBinary, nullable=True),
    Column("subject", Text, nullable=False, server_default=""),
    Column("sender", Text, nullable=False, server_default=""),
    Column("expected", JSONB, nullable=False),
    Column("author", String(300), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    ForeignKeyConstraint(["scanner_id"], ["scanners.scanner_id"], ondelete="CASCADE"),
    Index(None, "scanner_id", "created_at"),
)
"""Mails pinned to a rule set: one of ours by its id, or the bytes of a pasted one."""
