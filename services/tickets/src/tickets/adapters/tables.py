"""The tables of tickets. Every look-up a command, a list or a sweep does has its index here.

`history_id` numbers what was done in the order it was done: a mail carried out, a ticket opened, a participant brought, a Message-ID
learned. What a mail itself did has the mail's own number. It is taken under the locks that keep related commands apart, so of two
that could see each other the later has the higher.

Texts that are looked up are stored as `domain.keys.index_key` makes them: a B-tree entry may not exceed 2,704 bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Sequence,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database import new_metadata
from shared.messaging.tables import messaging_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)
HISTORY = Sequence("history", metadata=METADATA, data_type=BigInteger)


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def _at(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _ticket(*, nullable: bool = False, primary_key: bool = False) -> Column[object]:
    return Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=nullable, primary_key=primary_key)


def _history_id() -> Column[object]:
    return Column("history_id", BigInteger, nullable=False, server_default=HISTORY.next_value())


contacts = Table(
    "contacts",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    _now("created_at"),
    Index("ix_contacts_list", "created_at", "id"),
)

contact_addresses = Table(
    "contact_addresses",
    METADATA,
    Column("folded", Text, primary_key=True),
    Column("contact_id", String(36), ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("address", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
)

tickets = Table(
    "tickets",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("title", Text, nullable=False),
    Column("folded_title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(40), nullable=False, server_default="open"),
    Column("priority", String(40), nullable=False, server_default="normal"),
    Column("category", String(200), nullable=True),
    Column("assignee", Text, nullable=True),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("source", String(10), nullable=False),
    Column("scanner_id", Text, nullable=True),
    Column("sender", Text, nullable=True),
    Column("sender_folded", Text, nullable=True),
    Column("recipients", ARRAY(Text), nullable=False, server_default="{}"),
    Column("contact_id", String(36), ForeignKey("contacts.id", ondelete="SET NULL"), nullable=True),
    Column("linked_ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=True),
    Column("idempotency_id", String(36), nullable=True, unique=True),
    _at("deleted_at"),
    Column("deleted_reason", String(20), nullable=True),
    _at("closed_at"),
    Column("version", Integer, nullable=False, server_default="1"),
    _now("created_at"),
    _now("updated_at"),
    _history_id(),
    Index("ix_tickets_title", "folded_title", "id"),
    Index("ix_tickets_title_history", "folded_title", "history_id"),
    Index("ix_tickets_contact", "contact_id", "id"),
    Index("ix_tickets_sender", "sender_folded", "id"),
    Index("ix_tickets_status", "status", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_scanner", "scanner_id", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_assignee", "assignee", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_tags", "tags", postgresql_using="gin"),
    Index("ix_tickets_source", "source", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_linked", "linked_ticket_id", postgresql_where=text("linked_ticket_id is not null")),
)

messages = Table(
    "messages",
    METADATA,
    Column("id", String(36), primary_key=True),
    _ticket(),
    Column("kind", String(10), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("sender", Text, nullable=False),
    Column("sender_name", Text, nullable=False, server_default=""),
    Column("reply_to", JSONB, nullable=False, server_default="[]"),
    Column("recipients", JSONB, nullable=False, server_default="[]"),
    Column("cc", JSONB, nullable=False, server_default="[]"),
    Column("text", Text, nullable=False),
    Column("folds", JSONB, nullable=False, server_default="[]"),
    Column("html", Text, nullable=True),
    Column("mail_id", Text, nullable=True, unique=True),
    Column("message_id", Text, nullable=True),
    Column("in_reply_to", ARRAY(Text), nullable=False, server_default="{}"),
    Column("references", ARRAY(Text), nullable=False, server_default="{}"),
    _at("received_at", nullable=False),
    Column("order_id", Text, nullable=False),
    Column("author", Text, nullable=True),
    _now("created_at"),
    Index("ix_messages_order", "ticket_id", "received_at", "order_id"),
)

message_ids = Table(
    "message_ids",
    METADATA,
    Column("message_id", Text, primary_key=True),
    _ticket(primary_key=True),
    Column("scanner_id", Text, nullable=True),
    Column("origin", String(10), nullable=False),
    _now("created_at"),
    _history_id(),
    Column("mail_history_id", BigInteger, nullable=True, comment="Origin mail: since when; before, it was only referred to"),
    Index(None, "ticket_id"),
)

participants = Table(
    "participants",
    METADATA,
    _ticket(primary_key=True),
    Column("address", Text, primary_key=True),
    _history_id(),
)

attachments = Table(
    "attachments",
    METADATA,
    Column("id", String(36), primary_key=True),
    _ticket(),
    Column("message_id", String(36), ForeignKey("messages.id"), nullable=False, index=True),
    Column("archive_key", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content_id", Text, nullable=True),
    Column("inline", Boolean, nullable=False, server_default="false"),
    Index(None, "ticket_id"),
)

mails = Table(
    "mails",
    METADATA,
    Column("mail_id", Text, primary_key=True),
    Column("run", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("type", String(20), nullable=False),
    _ticket(nullable=True),
    Column("rule_id", Text, nullable=True),
    Column("rule_name", Text, nullable=True),
    Column("reason", Text, nullable=True),
    Column("kind", String(20), nullable=True),
    Column("prior_type", String(20), nullable=True),
    Column("scanner_id", Text, nullable=False),
    Column("sender_folded", Text, nullable=True),
    Column("archive_key", Text, nullable=False, server_default=""),
    _at("received_at"),
    _at("at", nullable=False),
    Column("record_type", String(10), nullable=True),
    Column("record_id", String(36), nullable=True),
    _history_id(),
    Index(None, "ticket_id"),
    Index("ix_mails_spam", "sender_folded", postgresql_where=text("type = 'spam'")),
)

spam_senders = Table(
    "spam_senders",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("address", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True),
    Column("created_by", Text, nullable=False),
    Column("hits", Integer, nullable=False, server_default="0"),
    _at("last_hit_at"),
    _now("created_at"),
    Index("ix_spam_senders_list", "created_at", "id"),
)

deliveries = Table(
    "deliveries",
    METADATA,
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    Column("detail", Text, nullable=False, server_default=""),
    _at("at", nullable=False),
)

outgoing = Table(
    "outgoing",
    METADATA,
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    _ticket(),
    Column("body", JSONB, nullable=False),
    Column("resends", Integer, nullable=False, server_default="0"),
    Column("waiting", Boolean, nullable=False, server_default="true"),
    _at("sent_at", nullable=False),
    Index("ix_outgoing_waiting", "sent_at", postgresql_where=text("waiting")),
    Index(None, "ticket_id"),
)

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

jobs = Table(
    "jobs",
    METADATA,
    Column("id", String(50), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("actor", Text, nullable=False),
    Column("state", String(10), nullable=False, server_default="queued"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=True),
    Column("input", JSONB, nullable=False),
    Column("result", JSONB, nullable=True),
    _now("created_at"),
    _now("updated_at"),
    Index("ix_jobs_waiting", "created_at", postgresql_where=text("state in ('queued', 'running')")),
)
