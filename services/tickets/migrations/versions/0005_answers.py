"""Answers: files and drafts of operators, the modes of a mail, taking it back, what came back about it, tickets somebody must look at.

Only adds, so that the code of 0004 runs on it: what that sends is an answer without a mode, which is read as `info`, and cannot be
taken back.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())
DRAFT = "What comes back as the draft when it is taken back"
UPLOADED = "Blank: the archived bytes are the file"


def upgrade() -> None:
    _sending()
    _uploads()
    _drafts()
    _coming_back()


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, MOMENT, server_default=NOW, nullable=False)


def _ticket(table: str) -> list[sa.schema.SchemaItem]:
    key = sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f(f"fk_{table}_ticket_id_tickets"))
    return [sa.Column("ticket_id", sa.BigInteger(), nullable=False), key]


def _sending() -> None:
    op.add_column("messages", sa.Column("mode", sa.String(length=20), nullable=True, comment="Of a message that left as a mail"))
    op.add_column("messages", sa.Column("undo_until", MOMENT, nullable=True))
    op.add_column("outgoing", sa.Column("draft", JSONB, nullable=True, comment=DRAFT))
    op.add_column("outgoing", sa.Column("cancelled_at", MOMENT, nullable=True))


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=36), nullable=False),
        *_ticket("uploads"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("archive_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sent", sa.Boolean(), server_default="false", nullable=False, comment="With an answer: kept as long as that"),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("archive_key", name=op.f("uq_uploads_archive_key")),
    )
    op.create_index(op.f("ix_uploads_ticket_id"), "uploads", ["ticket_id"])
    op.create_index("ix_uploads_unsent", "uploads", ["created_at"], postgresql_where=sa.text("not sent"))
    op.create_table(
        "unwanted_files",
        sa.Column("archive_key", sa.Text(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("archive_key", name=op.f("pk_unwanted_files")),
    )
    op.create_index(op.f("ix_unwanted_files_created_at"), "unwanted_files", ["created_at"])
    op.alter_column("attachments", "part", comment=UPLOADED, existing_type=sa.Text(), existing_nullable=False)
    op.create_index("ix_attachments_uploaded", "attachments", ["archive_key"], postgresql_where=sa.text("part = ''"))


def _drafts() -> None:
    op.execute("create sequence draft_versions as bigint")
    op.create_table(
        "drafts",
        *_ticket("drafts"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("cc", JSONB, nullable=True, comment="Null: all that are ticked by themselves"),
        sa.Column("attachments", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("nextval('draft_versions')"), nullable=False),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("ticket_id", "actor", name=op.f("pk_drafts")),
    )


def _coming_back() -> None:
    op.add_column("tickets", sa.Column("attention", sa.Text(), nullable=True, comment="What somebody must look at"))
    wanted = sa.text("attention is not null and deleted_at is null")
    op.create_index("ix_tickets_attention", "tickets", ["status", "id"], postgresql_where=wanted)
    op.create_table(
        "message_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("mail_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("recipient", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_reports_message_id_messages")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_reports")),
    )
    op.create_index("ix_message_reports_mail", "message_reports", ["message_id", "mail_id", "recipient"], unique=True)


def downgrade() -> None:
    op.drop_table("message_reports")
    op.drop_index("ix_tickets_attention", table_name="tickets")
    op.drop_column("tickets", "attention")
    op.drop_table("drafts")
    op.execute("drop sequence draft_versions")
    op.drop_index("ix_attachments_uploaded", table_name="attachments")
    op.alter_column("attachments", "part", comment=None, existing_type=sa.Text(), existing_nullable=False, existing_comment=UPLOADED)
    op.drop_table("unwanted_files")
    op.drop_table("uploads")
    for table, name in (("outgoing", "cancelled_at"), ("outgoing", "draft"), ("messages", "undo_until"), ("messages", "mode")):
        op.drop_column(table, name)
