"""Tables of the console's database. It keeps no business state: who may sign in, what they did, and the messaging tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Identity, Index, Integer, String, Table, Text, func

from shared.database import new_metadata
from shared.messaging.tables import messaging_tables

METADATA = new_metadata()
MESSAGING = messaging_tables(METADATA)

HASH_CHARS = 64
"""SHA-256, hexadecimal."""


def _at(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


USERS = Table(
    "users",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("email", String(320), nullable=False, unique=True, comment="lower case"),
    Column("name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("password_hash", Text, nullable=False),
    _at("created_at"),
    Column("last_sign_in_at", DateTime(timezone=True), nullable=True),
    Column("mail_address", String(320), nullable=False, server_default="", comment="of personal answers; blank: none"),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("hash", String(HASH_CHARS), primary_key=True, comment="SHA-256 of the cookie's value"),
    Column("user_id", String(36), ForeignKey(USERS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    _at("created_at"),
    _at("used_at"),
    Column("ends_at", DateTime(timezone=True), nullable=False, index=True),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("hash", String(HASH_CHARS), nullable=False, unique=True, comment="SHA-256 of the token"),
    Column("name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    _at("created_at"),
    Column("last_used_at", DateTime(timezone=True), nullable=True),
)

LOGIN_ATTEMPTS = Table(
    "login_attempts",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("scope", String(400), nullable=False, comment="`address:<ip>` or `account:<e-mail>`"),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ix_login_attempts_scope_at", "scope", "at"),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    _at("at"),
    Column("actor", String(400), nullable=False),
    Column("action", String(400), nullable=False, comment="verb and route"),
    Column("target", String(1000), nullable=False, comment="path as it was called"),
    Column("status", Integer, nullable=False),
)

SETUP = Table(
    "setup",
    METADATA,
    Column("only", Boolean, primary_key=True, server_default="true", comment="one row"),
    Column("nonce", String(HASH_CHARS), nullable=False, comment="the link's token is its HMAC under the service token"),
    _at("created_at"),
)
