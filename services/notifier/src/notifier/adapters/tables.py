"""The notifier's tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Identity, Index, Integer, String, Table, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database import new_metadata
from shared.erasure.tables import erased_table
from shared.messaging.tables import messaging_tables
from shared.oauth.tables import oauth_tables

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
    Column("oauth", JSONB(none_as_null=True), nullable=True, comment="OAuthFields; its secrets are in the table oauth"),
    Column("address", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("reply_to", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("owner", String(400), nullable=True, comment="X-Actor whose own account it is"),
    Column("connections", Integer, nullable=False, server_default="4"),
    Column("per_minute", Integer, nullable=True, comment="Recipients; null: no limit"),
    Column("plus_addressing", Boolean, nullable=False, server_default="false"),
    Column("version", Integer, nullable=False, server_default="1"),
    _created(),
    _created("updated_at"),
)

Index("ix_senders_owner", SENDERS.c.owner, unique=True, postgresql_where=text("owner is not null"))

OAUTH = oauth_tables(METADATA, "sender", SENDERS)

TEMPLATES = Table(
    "templates",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("scanner_id", String(100), nullable=True, comment="Null: for all mailboxes"),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    _created(),
    _created("updated_at"),
)
_OF_MAILBOX = text("kind <> 'canned' and scanner_id is not null")
_OF_ALL = text("kind <> 'canned' and scanner_id is null")
Index("ix_templates_of_mailbox", TEMPLATES.c.scanner_id, TEMPLATES.c.kind, unique=True, postgresql_where=_OF_MAILBOX)
Index("ix_templates_of_all", TEMPLATES.c.kind, unique=True, postgresql_where=_OF_ALL)

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
    Column("aliases", ARRAY(Text), nullable=False, server_default="{}", comment="Message-IDs that servers gave"),
    Column("failures", Integer, nullable=False, server_default="0", comment="In a row, for the pause until the next try"),
    Column("text", Text, nullable=True, comment="What an acknowledgement says"),
    Column("owner", String(400), nullable=True, comment="X-Actor whose own account a personal one takes"),
    Column("begun_at", DateTime(timezone=True), nullable=True, comment="The last dialogue"),
    Column("begun_by", Text, nullable=True, comment="The notifier that held it"),
    Column(
        "unanswered",
        Boolean,
        nullable=False,
        server_default="false",
        comment="A dialogue ended without an answer to the mail: the server may have it",
    ),
    Column(
        "cancel_asked",
        Boolean,
        nullable=False,
        server_default="false",
        comment="It was taken back while a dialogue was under way: no further try",
    ),
    Column("blobs", ARRAY(Text), nullable=False, server_default="{}", comment="All keys the archive may hold bytes of it under"),
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
    Column("alias", Text, nullable=True, comment="Message-ID the server gave"),
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

SMTP_SLOTS = Table(
    "smtp_slots",
    METADATA,
    Column("sender_id", ForeignKey("senders.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(200), nullable=False),
    _time("until", nullable=False),
)

SMTP_GRANTS = Table(
    "smtp_grants",
    METADATA,
    Column("outgoing_id", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="Of the try"),
    Column("sender_id", ForeignKey("senders.id", ondelete="CASCADE"), nullable=False),
    Column("recipients", Integer, nullable=False),
    Column(
        "until",
        DateTime(timezone=True),
        nullable=False,
        comment="Counts for the limit so long: a minute after the try; a lease more while it lasts",
    ),
    Index(None, "sender_id", "until"),
)
