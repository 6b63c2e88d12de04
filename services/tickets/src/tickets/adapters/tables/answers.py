"""Answers: those on their way with their states per recipient, what came back about them, and what operators are writing."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, Sequence, String, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tickets.adapters.tables.base import METADATA, at_column, now_column, ticket_column

DRAFT_VERSIONS = Sequence("draft_versions", metadata=METADATA, data_type=BigInteger)
"""Of all drafts: one written after another was sent never has its version."""

deliveries = Table(
    "deliveries",
    METADATA,
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    Column("detail", Text, nullable=False, server_default=""),
    at_column("at", nullable=False),
    Column("flagged", Boolean, nullable=False, server_default="false", comment="A failure nobody has looked at"),
)

outgoing = Table(
    "outgoing",
    METADATA,
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    ticket_column(),
    Column("body", JSONB, nullable=False),
    Column("resends", Integer, nullable=False, server_default="0"),
    Column("waiting", Boolean, nullable=False, server_default="true"),
    at_column("sent_at", nullable=False),
    Column("draft", JSONB, nullable=True, comment="What comes back as the draft when it is taken back"),
    at_column("cancelled_at"),
    Column("restored_status", String(40), nullable=True, comment="The status that taking it back gave the ticket again"),
    Index("ix_outgoing_waiting", "sent_at", postgresql_where=text("waiting")),
    Index(None, "ticket_id"),
)

uploads = Table(
    "uploads",
    METADATA,
    Column("id", String(36), primary_key=True),
    ticket_column(),
    Column("actor", Text, nullable=False),
    Column("archive_key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sent", Boolean, nullable=False, server_default="false", comment="With an answer: kept as long as that"),
    now_column("created_at"),
    Index(None, "ticket_id"),
    Index("ix_uploads_unsent", "created_at", postgresql_where=text("not sent")),
)

unwanted_files = Table(
    "unwanted_files", METADATA, Column("archive_key", Text, primary_key=True), now_column("created_at"), Index(None, "created_at")
)
"""Uploaded files whose last row went: removed from the archive next, unless an attachment still is one of them."""

drafts = Table(
    "drafts",
    METADATA,
    ticket_column(primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("body", Text, nullable=False, server_default=""),
    Column("mode", String(10), nullable=False),
    Column("cc", JSONB, nullable=True, comment="Null: all that are ticked by themselves"),
    Column("attachments", ARRAY(Text), nullable=False, server_default="{}"),
    Column("version", BigInteger, nullable=False, server_default=DRAFT_VERSIONS.next_value()),
    now_column("updated_at"),
    Column("quote", Boolean, nullable=False, server_default="true"),
)

message_reports = Table(
    "message_reports",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("message_id", String(36), ForeignKey("messages.id"), nullable=False),
    Column("mail_id", Text, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("recipient", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    at_column("at", nullable=False),
    Column(
        "flagged",
        Boolean,
        nullable=False,
        server_default="false",
        comment="A bounce that names none of the recipients, which nobody has looked at",
    ),
    Index("ix_message_reports_mail", "message_id", "mail_id", "recipient", unique=True),
)

automatic_mails = Table(
    "automatic_mails",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("scanner_id", Text, nullable=False),
    at_column("at", nullable=False),
    Column("mode", String(20), nullable=False, server_default="acknowledgement"),
    Index("ix_automatic_mails_recipient", "recipient", "at"),
    Index("ix_automatic_mails_scanner", "scanner_id", "at"),
    Index(None, "at"),
)
"""Mails that went out without a person, of the last day and a little more: what the limits count."""
