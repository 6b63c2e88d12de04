"""How the desk is set up, long work, webhooks, erasures."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tickets.adapters.tables.base import METADATA, at_column, now_column

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
    now_column("created_at"),
    now_column("updated_at"),
    Index("ix_jobs_waiting", "created_at", postgresql_where=text("state in ('queued', 'running')")),
)

desk_settings = Table(
    "desk_settings",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)

saved_views = Table(
    "saved_views",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("shared", Boolean, nullable=False, server_default="false"),
    Column("filter", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    now_column("created_at"),
    Index("ix_saved_views_owner", "owner", "created_at"),
)

webhooks = Table(
    "webhooks",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False, comment="Encrypted by the key ring"),
    Column("previous_secret", Text, nullable=True, comment="Signs beside the new one until `previous_until`"),
    at_column("previous_until"),
    Column("types", ARRAY(Text), nullable=False, server_default="{}"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    at_column("failing_since"),
    Column("disabled_reason", Text, nullable=True),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_by", Text, nullable=False),
    now_column("created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("webhook_id", String(36), ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", String(40), nullable=False),
    Column("ticket_id", BigInteger, nullable=True),
    Column("body", Text, nullable=False),
    Column("state", String(10), nullable=False, server_default="waiting"),
    Column("tries", Integer, nullable=False, server_default="0"),
    at_column("next_try_at"),
    Column("claimed_by", String(60), nullable=True),
    at_column("claimed_until"),
    Column("status", Integer, nullable=True),
    Column("error", Text, nullable=True),
    now_column("created_at"),
    at_column("delivered_at"),
    Index("ix_webhook_deliveries_event", "webhook_id", "event_id", unique=True),
    Index("ix_webhook_deliveries_log", "webhook_id", "created_at", "id"),
    Index("ix_webhook_deliveries_waiting", "webhook_id", "next_try_at", postgresql_where=text("state = 'waiting'")),
    Index("ix_webhook_deliveries_finished", "created_at", postgresql_where=text("state <> 'waiting'")),
)

erasures = Table(
    "erasures",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("address", Text, nullable=True),
    Column("digest", String(64), nullable=False, index=True),
    Column("requested_by", Text, nullable=False),
    Column("state", String(10), nullable=False, server_default="running"),
    Column("reports", JSONB, nullable=False, server_default="[]"),
    at_column("before", nullable=False),
    now_column("created_at"),
    at_column("finished_at"),
)
