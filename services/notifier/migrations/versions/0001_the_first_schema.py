"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

OPEN = sa.text("state in ('queued', 'sending', 'delayed')")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("event_id", sa.String(length=300), nullable=True),
        sa.Column("mail_id", sa.String(length=100), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("service_version", sa.String(length=40), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index("ix_dead_letters_state", "dead_letters", ["state", "created_at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("event_id", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_inbox")),
    )
    op.create_index(op.f("ix_inbox_created_at"), "inbox", ["created_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_parked", "outbox", ["topic", "key"], unique=False, postgresql_where=sa.text("parked_at is not null and sent_at is null")
    )
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"], unique=False, postgresql_where=sa.text("sent_at is not null"))
    op.create_index("ix_outbox_unsent", "outbox", ["id"], unique=False, postgresql_where=sa.text("sent_at is null"))
    op.create_table(
        "outgoing",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="Order of arrival, which answers of a ticket keep",
        ),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("scanner_id", sa.String(length=100), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "cause", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="Headers of that event, which carry the trace on"
        ),
        sa.Column("envelope_from", sa.Text(), nullable=True),
        sa.Column("mime_key", sa.Text(), nullable=True, comment="Where the archive holds the bytes; set before the first try"),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=200), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False, comment="Of the newest delivery states told"),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing")),
        sa.UniqueConstraint("position", name=op.f("uq_outgoing_position")),
    )
    op.create_index(
        "ix_outgoing_open", "outgoing", ["next_try_at"], unique=False, postgresql_where=sa.text("state in ('queued', 'sending', 'delayed')")
    )
    op.create_index(
        "ix_outgoing_open_ticket",
        "outgoing",
        ["ticket_id", "position"],
        unique=False,
        postgresql_where=sa.text("state in ('queued', 'sending', 'delayed')"),
    )
    op.create_index("ix_outgoing_ticket", "outgoing", ["ticket_id", "position"], unique=False)
    op.create_table(
        "relay_lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relay_lease")),
    )
    op.create_table(
        "scanners",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.String(length=100), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scanners")),
    )
    op.create_index(op.f("ix_scanners_sender_id"), "scanners", ["sender_id"], unique=False)
    op.create_table(
        "senders",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("ssl_type", sa.String(length=20), nullable=False),
        sa.Column("ssl_method", sa.String(length=20), nullable=False),
        sa.Column("auth", sa.String(length=20), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True, comment="Encrypted, place sender:<id>:password"),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_senders")),
    )
    op.create_table(
        "recipients",
        sa.Column("outgoing_id", sa.String(length=100), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="As written"),
        sa.Column("mailbox", sa.Text(), nullable=True, comment="As SMTP takes it; null where it is no address"),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Under which this state was told"),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["outgoing_id"], ["outgoing.id"], name=op.f("fk_recipients_outgoing_id_outgoing"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("outgoing_id", "address", name=op.f("pk_recipients")),
    )
    op.create_table(
        "tries",
        sa.Column("outgoing_id", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["outgoing_id"], ["outgoing.id"], name=op.f("fk_tries_outgoing_id_outgoing"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("outgoing_id", "number", name=op.f("pk_tries")),
    )


def downgrade() -> None:
    op.drop_table("tries")
    op.drop_table("recipients")
    op.drop_table("senders")
    op.drop_index(op.f("ix_scanners_sender_id"), table_name="scanners")
    op.drop_table("scanners")
    op.drop_table("relay_lease")
    op.drop_index("ix_outgoing_ticket", table_name="outgoing")
    op.drop_index("ix_outgoing_open_ticket", table_name="outgoing", postgresql_where=OPEN)
    op.drop_index("ix_outgoing_open", table_name="outgoing", postgresql_where=OPEN)
    op.drop_table("outgoing")
    op.drop_index("ix_outbox_unsent", table_name="outbox", postgresql_where=sa.text("sent_at is null"))
    op.drop_index("ix_outbox_sent_at", table_name="outbox", postgresql_where=sa.text("sent_at is not null"))
    op.drop_index("ix_outbox_parked", table_name="outbox", postgresql_where=sa.text("parked_at is not null and sent_at is null"))
    op.drop_table("outbox")
    op.drop_index(op.f("ix_inbox_created_at"), table_name="inbox")
    op.drop_table("inbox")
    op.drop_index("ix_dead_letters_state", table_name="dead_letters")
    op.drop_table("dead_letters")
