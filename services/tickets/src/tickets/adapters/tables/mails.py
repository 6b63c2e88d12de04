"""Every mail's outcome, the spam list, and our copy of the scanners."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, text

from tickets.adapters.tables.base import METADATA, at_column, history_column, now_column, ticket_column

mails = Table(
    "mails",
    METADATA,
    Column("mail_id", Text, primary_key=True),
    Column("run", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("type", String(20), nullable=False),
    ticket_column(nullable=True),
    Column("rule_id", Text, nullable=True),
    Column("rule_name", Text, nullable=True),
    Column("reason", Text, nullable=True),
    Column("kind", String(20), nullable=True),
    Column("prior_type", String(20), nullable=True),
    Column("scanner_id", Text, nullable=False),
    Column("sender_folded", Text, nullable=True),
    Column("archive_key", Text, nullable=False, server_default=""),
    at_column("received_at"),
    at_column("at", nullable=False),
    Column("record_type", String(10), nullable=True),
    Column("record_id", String(36), nullable=True),
    history_column(),
    Index(None, "ticket_id"),
    Index("ix_mails_record", "record_id", "received_at", postgresql_where=text("record_id is not null")),
    Index("ix_mails_spam", "sender_folded", postgresql_where=text("type = 'spam'")),
    Index("ix_mails_held", "sender_folded", "mail_id", postgresql_where=text("type = 'spam' and ticket_id is null")),
)

spam_senders = Table(
    "spam_senders",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("address", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True),
    Column("created_by", Text, nullable=False),
    Column("hits", Integer, nullable=False, server_default="0"),
    at_column("last_hit_at"),
    now_column("created_at"),
    Index("ix_spam_senders_list", "created_at", "id"),
)

operators = Table("operators", METADATA, Column("address", Text, primary_key=True), now_column("created_at"))
"""Everybody known to have worked here, or to have been given work: such an address is never put on the spam list by accident."""

scanners = Table(
    "scanners",
    METADATA,
    Column("scanner_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("sender_id", Text, nullable=True),
    Column("deleted", Boolean, nullable=False, server_default="false"),
)
