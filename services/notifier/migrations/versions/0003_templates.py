"""Templates; what an SMTP server puts up with, whose account it is, plus addresses; Message-IDs that servers gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)
ADDED = ("owner", "connections", "per_minute", "plus_addressing")


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("scanner_id", sa.String(length=100), nullable=True, comment="Null: for all mailboxes"),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
    )
    op.create_index(
        "ix_templates_of_mailbox",
        "templates",
        ["scanner_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind <> 'canned' and scanner_id is not null"),
    )
    op.create_index(
        "ix_templates_of_all", "templates", ["kind"], unique=True, postgresql_where=sa.text("kind <> 'canned' and scanner_id is null")
    )
    op.add_column("senders", sa.Column("owner", sa.String(length=400), nullable=True, comment="X-Actor whose own account it is"))
    op.add_column("senders", sa.Column("connections", sa.Integer(), server_default="4", nullable=False))
    op.add_column("senders", sa.Column("per_minute", sa.Integer(), nullable=True, comment="Recipients; null: no limit"))
    op.add_column("senders", sa.Column("plus_addressing", sa.Boolean(), server_default="false", nullable=False))
    op.create_index("ix_senders_owner", "senders", ["owner"], unique=True, postgresql_where=sa.text("owner is not null"))
    ids = "Message-IDs that servers gave"
    aliases = sa.Column("aliases", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False, comment=ids)
    op.add_column("outgoing", aliases)


def downgrade() -> None:
    op.drop_column("outgoing", "aliases")
    op.drop_index("ix_senders_owner", table_name="senders", postgresql_where=sa.text("owner is not null"))
    for name in reversed(ADDED):
        op.drop_column("senders", name)
    op.drop_table("templates")
