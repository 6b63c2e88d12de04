"""The notifier's tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Identity, Index, Integer, String, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import new_metadata
from shared.erasure.tables import erased_table
from shared.messaging.tables import messaging_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)
ERASED = erased_table(METADATA)


def _time(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _created(name: str = "created_at") -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


SENDERS = Table(
    "senders",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("name", Text, nullable=False),
    Column("server", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("ssl_type", String(20), nullable=False),
    Column("ssl_method", String(20), nullable=False),
    Column("auth", String(20), nullable=False),
    Column("username", Text, nullable=False),
    Column("password", Text, nullable=True, comment="Encrypted, place sender:<id>:password"),
    Column("address", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("reply_to", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    _created(),
    _created("updated_at"),
)

SCANNERS = Table(
    "scanners",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("sender_id", String(100), nullable=True),
    Column("enabled", Boolean, nullable=False),
    Index(None, "sender_id"),
)

OUTGOING = Table(
    "outgoing",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("position", BigInteger, Identity(), nullable=False, unique=True, comment="Order of arrival, which answers of a ticket keep"),
    Column("ticket_id", BigInteger, nullable=False),
    Column("scanner_id", String(100), nullable=True),
    Column("message_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("event", JSONB, nullable=False),
    Column("cause", JSONB, nullable=False, comment="Headers of that event, which carry the trace on"),
    Column("envelope_from", Text, nullable=True),
    Column("mime_key", Text, nullable=True, comment="Where the archive holds the bytes; set before the first try"),
    Column("state", String(20), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    _time("first_try_at"),
    _time("next_try_at"),
    _time("not_before"),
    Column("claimed_by", String(200), nullable=True),
    _time("claimed_until"),
    Column("sequence", Integer, nullable=False, server_default="0", comment="Of the newest delivery states told"),
    Column("last_error", Text, nullable=True),
    _time("sent_at"),
    _created(),
)
_OPEN = text("state in ('queued', 'sending', 'delayed')")
Index("ix_outgoing_open", OUTGOING.c.next_try_at, postgresql_where=_OPEN)
Index("ix_outgoing_open_ticket", OUTGOING.c.ticket_id, OUTGOING.c.position, postgresql_where=_OPEN)
Index("ix_outgoing_ticket", OUTGOING.c.ticket_id, OUTGOING.c.position)

RECIPIENTS = Table(
    "recipients",
    METADATA,
    Column("outgoing_id", ForeignKey("outgoing.id", ondelete="CASCADE"), primary_key=True),
    Column("address", Text, primary_key=True, comment="As written"),
    Column("mailbox", Text, nullable=True, comment="As SMTP takes it; null where it is no address"),
    Column("state", String(20), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("sequence", Integer, nullable=False, comment="Under which this state was told"),
    _created("at"),
)

TRIES = Table(
    "tries",
    METADATA,
    Column("outgoing_id", ForeignKey("outgoing.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("detail", Text, nullable=False),
    _time("started_at", nullable=False),
    _created("ended_at"),
)
