"""Answers on their way, and their states per recipient."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from tickets.adapters.tables.base import METADATA, at_column, ticket_column

deliveries = Table(
    "deliveries",
    METADATA,
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    Column("detail", Text, nullable=False, server_default=""),
    at_column("at", nullable=False),
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
    Index("ix_outgoing_waiting", "sent_at", postgresql_where=text("waiting")),
    Index(None, "ticket_id"),
)
