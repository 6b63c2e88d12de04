"""What all tables share: the metadata, and columns that occur in many."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Sequence, func

from shared.database import new_metadata
from shared.erasure.tables import erased_table
from shared.messaging.tables import messaging_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)
ERASED = erased_table(METADATA)
HISTORY = Sequence("history", metadata=METADATA, data_type=BigInteger)


def now_column(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def at_column(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def ticket_column(name: str = "ticket_id", *, nullable: bool = False, primary_key: bool = False) -> Column[object]:
    return Column(name, BigInteger, ForeignKey("tickets.id"), nullable=nullable, primary_key=primary_key)


def history_column() -> Column[object]:
    return Column("history_id", BigInteger, nullable=False, server_default=HISTORY.next_value())
