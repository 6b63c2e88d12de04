"""Tickets with their messages, people and history, and what finds them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, String, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from tickets.adapters.tables.base import METADATA, at_column, history_column, now_column, ticket_column

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
    Column("external_code", Text, nullable=True),
    Column("folded_code", Text, nullable=True),
    ticket_column("linked_ticket_id", nullable=True),
    ticket_column("merged_into", nullable=True),
    Column("idempotency_id", String(36), nullable=True, unique=True),
    at_column("deleted_at"),
    Column("deleted_reason", String(20), nullable=True),
    at_column("closed_at"),
    Column("attention", Text, nullable=True, comment="What somebody must look at"),
    Column("version", Integer, nullable=False, server_default="1"),
    now_column("created_at"),
    now_column("updated_at"),
    history_column(),
    Index("ix_tickets_title", "folded_title", "id"),
    Index("ix_tickets_title_history", "folded_title", "history_id"),
    Index("ix_tickets_title_merged", "folded_title", "id", postgresql_where=text("merged_into is not null")),
    Index("ix_tickets_contact", "contact_id", "status", "id"),
    Index("ix_tickets_sender", "sender_folded", "id", postgresql_ops={"sender_folded": "text_pattern_ops"}),
    Index("ix_tickets_status", "status", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_scanner", "scanner_id", "status", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_assignee", "assignee", "status", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_source", "source", "status", "id", postgresql_where=text("deleted_at is null")),
    Index("ix_tickets_code", "folded_code", "id", postgresql_where=text("folded_code is not null")),
    Index("ix_tickets_merged", "merged_into", postgresql_where=text("merged_into is not null")),
    Index("ix_tickets_spam", "sender_folded", "id", postgresql_where=text("deleted_reason = 'spam'")),
    Index("ix_tickets_deleted", "deleted_at", "id", postgresql_where=text("deleted_at is not null")),
    Index("ix_tickets_attention", "status", "id", postgresql_where=text("attention is not null and deleted_at is null")),
    Index("ix_tickets_linked", "linked_ticket_id", postgresql_where=text("linked_ticket_id is not null")),
)

messages = Table(
    "messages",
    METADATA,
    Column("id", String(36), primary_key=True),
    ticket_column(),
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
    at_column("received_at", nullable=False),
    Column("order_id", Text, nullable=False),
    Column("author", Text, nullable=True),
    Column("first_ticket_id", BigInteger, nullable=True, comment="Where it was before a merge or split"),
    Column("mode", String(20), nullable=True, comment="Of a message that left as a mail"),
    at_column("undo_until"),
    now_column("created_at"),
    Index("ix_messages_order", "ticket_id", "received_at", "order_id"),
)

message_ids = Table(
    "message_ids",
    METADATA,
    Column("message_id", Text, primary_key=True),
    ticket_column(primary_key=True),
    Column("scanner_id", Text, nullable=True),
    Column("origin", String(10), nullable=False),
    now_column("created_at"),
    history_column(),
    Column("mail_history_id", BigInteger, nullable=True, comment="Origin mail: since when; before, it was only referred to"),
    Column(
        "answer_id",
        String(36),
        nullable=True,
        comment="Origin ours: the message that left under this id, or whose server gave it this one",
    ),
    Index(None, "ticket_id"),
)

participants = Table(
    "participants",
    METADATA,
    ticket_column(primary_key=True),
    Column("address", Text, primary_key=True),
    history_column(),
)

attachments = Table(
    "attachments",
    METADATA,
    Column("id", String(36), primary_key=True),
    ticket_column(),
    Column("message_id", String(36), ForeignKey("messages.id"), nullable=False, index=True),
    Column("archive_key", Text, nullable=False),
    Column("part", Text, nullable=False, comment="Blank: the archived bytes are the file"),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content_id", Text, nullable=True),
    Column("inline", Boolean, nullable=False, server_default="false"),
    Index(None, "ticket_id"),
    Index("ix_attachments_uploaded", "archive_key", postgresql_where=text("part = ''")),
)

watchers = Table(
    "watchers",
    METADATA,
    ticket_column(primary_key=True),
    Column("folded", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("removed", Boolean, nullable=False, server_default="false", comment="By an operator: a later Cc does not bring him back"),
    now_column("created_at"),
    Index(None, "folded"),
)

ticket_changes = Table(
    "ticket_changes",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    ticket_column(),
    at_column("at", nullable=False),
    Column("actor", Text, nullable=False),
    Column("type", String(20), nullable=False),
    Column("changes", JSONB, nullable=False, server_default="[]", comment="[{field, before, after}]"),
    Column("mail_id", Text, nullable=True),
    Column("message_id", String(36), nullable=True),
    Column("other_ticket_id", BigInteger, nullable=True),
    Index("ix_ticket_changes_ticket", "ticket_id", "id"),
)

ticket_search = Table(
    "ticket_search",
    METADATA,
    ticket_column(primary_key=True),
    Column("words", TSVECTOR, nullable=False),
    Index("ix_ticket_search_words", "words", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)

search_queue = Table(
    "search_queue",
    METADATA,
    Column("ticket_id", BigInteger, primary_key=True, autoincrement=False),
    Column("background", Boolean, nullable=False, server_default="false", comment="Queued with all others, not by a change"),
    now_column("created_at"),
    Index("ix_search_queue_next", "background", "created_at"),
)
