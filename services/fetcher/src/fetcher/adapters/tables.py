"""The fetcher's own tables."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import new_metadata
from shared.erasure.tables import erased_table
from shared.messaging.tables import messaging_tables
from shared.oauth.tables import oauth_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)
ERASED = erased_table(METADATA)


def _moment(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=True)


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


SCANNERS = Table(
    "scanners",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("server", String(253), nullable=False),
    Column("port", Integer, nullable=False),
    Column("protocol", String(10), nullable=False),
    Column("username", String(320), nullable=False),
    Column("password", Text, nullable=False, comment="sealed by the key ring for place scanner:<id>:password"),
    Column("address", String(320), nullable=False),
    Column("auth", String(20), nullable=False),
    Column("ssl_type", String(10), nullable=False),
    Column("ssl_method", String(20), nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("pec", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("find", String(10), nullable=False),
    Column("after_scanning", String(10), nullable=False),
    Column("oauth", JSONB, nullable=True, comment="OAuthFields; its secrets are in the table oauth"),
    Column("move_matched_to", String(500), nullable=True),
    Column("move_unmatched_to", String(500), nullable=True),
    Column("spam_folder", String(500), nullable=True),
    Column("start_from", String(20), nullable=False),
    Column("interval_seconds", Integer, nullable=False),
    Column("push", Boolean, nullable=False, server_default=text("true")),
    Column("sender_id", String(100), nullable=True),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("generation", Integer, nullable=False, server_default="1"),
    _now("created_at"),
    _now("updated_at"),
    _moment("last_scan_at"),
    _moment("last_success_at"),
    Column("last_error", Text, nullable=True),
    Column("failures", Integer, nullable=False, server_default="0"),
    _now("next_scan_at"),
    Column("backlog", Integer, nullable=False, server_default="0"),
    Column("watching", String(10), nullable=True, comment="push or poll, while somebody holds the mailbox"),
    Column("lease_holder", String(100), nullable=True, comment="a row of fetchers, whose time is the lease's; null: free"),
    Column("lease_token", BigInteger, nullable=False, server_default="0", comment="rises with each holder and each change of settings"),
    # Not by next_scan_at: a column of an index that each scan changes would have each scan write into all indexes.
    Index("ix_scanners_free", "id", postgresql_where=text("enabled and lease_holder is null")),
    Index("ix_scanners_holder", "lease_holder", postgresql_where=text("lease_holder is not null")),
)

FETCHERS = Table(
    "fetchers",
    METADATA,
    Column("id", String(100), primary_key=True, comment="one life of one process: never used again"),
    Column("until", DateTime(timezone=True), nullable=False, comment="end of all its leases, renewed as one row"),
    _now("started_at"),
)

OAUTH = oauth_tables(METADATA, "scanner", SCANNERS)

SCANS = Table(
    "scans",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("scanner_id", String(36), ForeignKey("scanners.id", ondelete="CASCADE"), nullable=False),
    _now("started_at"),
    Column("seconds", Float, nullable=False),
    Column("found", Integer, nullable=False),
    Column("read", Integer, nullable=False),
    Column("error", Text, nullable=True),
    Index("ix_scans_scanner", "scanner_id", "started_at"),
)

FOLDERS = Table(
    "folders",
    METADATA,
    Column("scanner_id", String(36), ForeignKey("scanners.id", ondelete="CASCADE"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("selected", Boolean, nullable=False, server_default=text("true")),
    Column("uid_validity", BigInteger, nullable=True),
    Column("cursor", BigInteger, nullable=False, server_default="0"),
    Column("start_uid", BigInteger, nullable=False, server_default="0"),
    _moment("start_at"),
    Column("checked_uid", BigInteger, nullable=False, server_default="0"),
    Column("problem", Text, nullable=True, comment="why it cannot be read, in plain words"),
    Column("renamed_to", String(500), nullable=True),
    _now("added_at"),
)

LEDGER = Table(
    "ledger",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, comment="order of first sight"),
    Column("scanner_id", String(36), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("folder", String(500), nullable=False),
    Column("uid_validity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("state", String(10), nullable=False, comment="seen, published, done"),
    _now("seen_at"),
    Column("message_id", Text, nullable=True),
    Column("sender", Text, nullable=False, server_default=""),
    Column("recipients", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("subject", Text, nullable=False, server_default=""),
    _moment("received_at"),
    Column("size", BigInteger, nullable=True),
    Column("sha256", String(64), nullable=True),
    Column("archive_key", Text, nullable=True),
    Column("conversation", Text, nullable=True),
    Column("address", String(320), nullable=False, server_default="", comment="the mailbox's address at fetch time"),
    Column("pec", Boolean, nullable=False, server_default=text("false")),
    Column("traceparent", String(60), nullable=True),
    Column("duplicate_of", String(36), nullable=True),
    Column("fetch_failures", SmallInteger, nullable=False, server_default="0"),
    Column("flag_wanted", Boolean, nullable=False, server_default=text("false")),
    Column("at_folder", String(500), nullable=True, comment="where our own move left it; null: at its first place"),
    Column("at_uid_validity", BigInteger, nullable=True),
    Column("at_uid", BigInteger, nullable=True, comment="null where the server did not say: found again by Message-ID and bytes"),
    Column("move_to", String(500), nullable=True, comment="folder it is wanted in"),
    Column("moving_to", String(500), nullable=True, comment="folder of a move that was begun, and whose end is not written down"),
    _moment("move_after"),
    Column("move_tries", SmallInteger, nullable=False, server_default="0"),
    Column("move_error", Text, nullable=True),
    Column("resend", Integer, nullable=False, server_default="0"),
    Column("sweeps", SmallInteger, nullable=False, server_default="0"),
    _moment("published_at"),
    Column("outcome_type", String(20), nullable=True),
    Column("outcome_run", Integer, nullable=True),
    Column("outcome_revision", Integer, nullable=True),
    Column("outcome_ticket_id", BigInteger, nullable=True),
    Column("outcome_rule_id", String(100), nullable=True),
    Column("outcome_rule_name", Text, nullable=True),
    Column("outcome_reason", Text, nullable=True),
    Column("kind", Text, nullable=True),
    _moment("outcome_at"),
    Column("erased_at", DateTime(timezone=True), nullable=True, comment="since then only place, size, SHA-256 and outcome are known"),
    UniqueConstraint("scanner_id", "generation", "folder", "uid_validity", "uid"),
    Index("ix_ledger_number", "number", unique=True),
    Index("ix_ledger_scanner_number", "scanner_id", "number"),
    Index("ix_ledger_message_id", "message_id"),
    Index("ix_ledger_outcome", "outcome_type", "number"),
    Index("ix_ledger_received", "received_at"),
    Index("ix_ledger_sha256", "scanner_id", "sha256", postgresql_where=text("duplicate_of is null")),
    Index("ix_ledger_seen", "scanner_id", postgresql_where=text("state = 'seen'")),
    Index("ix_ledger_unflagged", "scanner_id", postgresql_where=text("flag_wanted")),
    Index("ix_ledger_move", "move_after", postgresql_where=text("move_to is not null")),
    Index("ix_ledger_duplicate", "duplicate_of", postgresql_where=text("duplicate_of is not null")),
    Index("ix_ledger_under_way", "published_at", postgresql_where=text("state = 'published'")),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("scanner_id", String(36), ForeignKey("scanners.id", ondelete="CASCADE"), nullable=True, comment="null: of all scanners"),
    Column("kind", String(10), nullable=False, server_default="scan", comment="scan or check"),
    Column("options", JSONB, nullable=True),
    Column("state", String(10), nullable=False, server_default="queued"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=True),
    Column("result", JSONB, nullable=True),
    Column("holder", String(60), nullable=True, comment="of a check: who runs it, as long as `until`"),
    _moment("until"),
    Column("tries", SmallInteger, nullable=False, server_default="0", comment="times a check was begun"),
    _now("created_at"),
    _moment("finished_at"),
    Index("ix_jobs_open", "scanner_id", postgresql_where=text("state in ('queued', 'running')")),
)
