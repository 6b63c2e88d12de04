"""Contacts, accounts and leads: one table, since a mail is filed with whichever has the address.

The table and its columns keep the names they had when there were only contacts: the release before runs on them too.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from tickets.adapters.tables.base import METADATA, now_column

records = Table(
    "contacts",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("type", String(10), nullable=False, server_default="contact"),
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=True),
    Column("company", Text, nullable=True),
    Column("website", Text, nullable=True),
    Column("account_id", String(36), ForeignKey("contacts.id", ondelete="SET NULL"), nullable=True),
    Column("note", Text, nullable=False, server_default=""),
    Column("folded_name", Text, nullable=False, server_default="", comment="`domain.registry.name_key`"),
    Column("words", Text, nullable=False, server_default="", comment="`domain.registry.search_words`"),
    Column("version", Integer, nullable=False, server_default="1"),
    now_column("created_at"),
    now_column("updated_at"),
    Index("ix_contacts_type", "type", "created_at", "id"),
    Index("ix_contacts_account", "account_id", postgresql_where=text("account_id is not null")),
    Index("ix_contacts_account_name", "folded_name", postgresql_where=text("type = 'account'")),
    Index("ix_contacts_words", "words", postgresql_using="gin", postgresql_ops={"words": "gin_trgm_ops"}),
)

record_addresses = Table(
    "contact_addresses",
    METADATA,
    Column("type", String(10), primary_key=True, server_default="contact"),
    Column("folded", Text, primary_key=True),
    Column("contact_id", String(36), ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("address", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
    Index("ix_contact_addresses_folded", "folded"),
)

import_parts = Table(
    "import_parts",
    METADATA,
    Column("job_id", String(50), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("lines", JSONB, nullable=False),
    now_column("created_at"),
    Index(None, "created_at"),
)
"""The lines of imports' files, as many in a row as one step takes."""

import_records = Table(
    "import_records",
    METADATA,
    Column("job_id", String(50), primary_key=True),
    Column("record_id", String(36), primary_key=True),
    Column("line", Integer, nullable=False),
)
"""Records of before that a line of an import has spoken of: no second line may."""
