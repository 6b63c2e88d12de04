"""The messaging tables. Each service makes them in its own database, by its own migrations."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, LargeBinary, MetaData, String, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class MessagingTables:
    """Inbox, outbox, the relay's lease and dead letters of one service."""

    inbox: Table
    outbox: Table
    relay_lease: Table
    dead_letters: Table


def messaging_tables(metadata: MetaData) -> MessagingTables:
    """Declare the tables in the service's metadata."""
    return MessagingTables(_inbox(metadata), _outbox(metadata), _relay_lease(metadata), _dead_letters(metadata))


def _now() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _inbox(metadata: MetaData) -> Table:
    return Table(
        "inbox",
        metadata,
        Column("consumer", String(100), primary_key=True),
        Column("event_id", String(300), primary_key=True),
        _now(),
        Index(None, "created_at"),
    )


def _outbox(metadata: MetaData) -> Table:
    table = Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("topic", String(200), nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("value", LargeBinary, nullable=True),
        _now(),
        Column("sent_at", DateTime(timezone=True), nullable=True),
        Column("parked_at", DateTime(timezone=True), nullable=True),
        Column("error", Text, nullable=True),
    )
    Index("ix_outbox_unsent", table.c.id, postgresql_where=text("sent_at is null"))
    Index("ix_outbox_parked", table.c.topic, table.c.key, postgresql_where=text("parked_at is not null and sent_at is null"))
    Index("ix_outbox_sent_at", table.c.sent_at, postgresql_where=text("sent_at is not null"))
    return table


def _relay_lease(metadata: MetaData) -> Table:
    return Table(
        "relay_lease",
        metadata,
        Column("name", String(40), primary_key=True),
        Column("holder", String(100), nullable=False),
        Column("until", DateTime(timezone=True), nullable=False),
    )


def _dead_letters(metadata: MetaData) -> Table:
    table = Table(
        "dead_letters",
        metadata,
        Column("id", String(36), primary_key=True),
        Column("consumer", String(100), nullable=False),
        Column("topic", String(200), nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("key", LargeBinary, nullable=True),
        Column("headers", JSONB, nullable=False),
        Column("value", LargeBinary, nullable=True),
        Column("event_id", String(300), nullable=True),
        Column("mail_id", String(100), nullable=True),
        Column("error", Text, nullable=False),
        Column("service_version", String(40), nullable=False),
        Column("tries", Integer, nullable=False),
        Column("state", String(20), nullable=False, server_default="waiting"),
        Column("reason", Text, nullable=True),
        _now(),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    )
    Index("ix_dead_letters_state", table.c.state, table.c.created_at)
    return table
