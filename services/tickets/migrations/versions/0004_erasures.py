"""Erasures: which addresses were erased, by digest, and how far this service is with them; deleted tickets by age."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())
MAILS = "by id; until the part of this service is done"


def upgrade() -> None:
    op.create_table(
        "erased",
        sa.Column("erasure_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("before", MOMENT, nullable=False),
        sa.Column("address", sa.Text(), nullable=True, comment="until the part of this service is done"),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("place", JSONB, nullable=True, comment="how far the step came"),
        sa.Column("removed", JSONB, server_default="{}", nullable=False),
        sa.Column("kept", JSONB, server_default="[]", nullable=False),
        sa.Column("mails", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False, comment=MAILS),
        sa.Column("mails_known", sa.Boolean(), server_default="false", nullable=False, comment="the fetcher has named all of them"),
        sa.Column("next_step_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("erasure_id", name=op.f("pk_erased")),
    )
    op.create_index("ix_erased_digest", "erased", ["digest"])
    op.create_index("ix_erased_under_way", "erased", ["next_step_at"], postgresql_where=sa.text("done_at is null"))
    op.create_index("ix_tickets_deleted", "tickets", ["deleted_at", "id"], postgresql_where=sa.text("deleted_at is not null"))


def downgrade() -> None:
    op.drop_index("ix_tickets_deleted", table_name="tickets")
    op.drop_table("erased")
