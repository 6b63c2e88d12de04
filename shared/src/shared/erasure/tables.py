"""The erasures a service knows. Each service makes the table in its own database, as the messaging ones, by its own migrations."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, String, Table, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB


def erased_table(metadata: MetaData) -> Table:
    """Declare `erased`: the digest stays for ever, the address until this service has done its part."""
    return Table(
        "erased",
        metadata,
        Column("erasure_id", String(36), primary_key=True),
        Column("digest", String(64), nullable=False),
        Column("before", DateTime(timezone=True), nullable=False),
        Column("address", Text, nullable=True, comment="until the part of this service is done"),
        Column("step", Integer, nullable=False, server_default="0"),
        Column("place", JSONB(none_as_null=True), nullable=True, comment="how far the step came"),
        Column("removed", JSONB, nullable=False, server_default="{}"),
        Column("kept", JSONB, nullable=False, server_default="[]"),
        Column("mails", ARRAY(Text), nullable=False, server_default="{}", comment="by id; until the part of this service is done"),
        Column("mails_known", Boolean, nullable=False, server_default="false", comment="the fetcher has named all of them"),
        Column("next_step_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("done_at", DateTime(timezone=True), nullable=True),
        Index("ix_erased_digest", "digest"),
        Index("ix_erased_under_way", "next_step_at", postgresql_where=text("done_at is null")),
    )
