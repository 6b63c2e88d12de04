"""What the limits of a server need over all replicas; failures that count for back-off; the id a server gave; an acknowledgement's text."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "smtp_slots",
        sa.Column("sender_id", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_smtp_slots_sender_id_senders"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sender_id", "number", name=op.f("pk_smtp_slots")),
    )
    op.create_table(
        "smtp_grants",
        sa.Column("outgoing_id", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="Of the try"),
        sa.Column("sender_id", sa.String(length=100), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column(
            "until", MOMENT, nullable=False, comment="Counts for the limit so long: a minute after the try; a lease more while it lasts"
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_smtp_grants_sender_id_senders"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("outgoing_id", "number", name=op.f("pk_smtp_grants")),
    )
    op.create_index("ix_smtp_grants_sender_id_until", "smtp_grants", ["sender_id", "until"])
    failures = sa.Column("failures", sa.Integer(), server_default="0", nullable=False, comment="In a row, for the pause until the next try")
    op.add_column("outgoing", failures)
    op.add_column("outgoing", sa.Column("text", sa.Text(), nullable=True, comment="What an acknowledgement says"))
    op.add_column(
        "outgoing", sa.Column("owner", sa.String(length=400), nullable=True, comment="X-Actor whose own account a personal one takes")
    )
    op.add_column("outgoing", sa.Column("begun_at", MOMENT, nullable=True, comment="The last dialogue"))
    op.add_column("outgoing", sa.Column("begun_by", sa.Text(), nullable=True, comment="The notifier that held it"))
    op.add_column("recipients", sa.Column("alias", sa.Text(), nullable=True, comment="Message-ID the server gave"))


def downgrade() -> None:
    op.drop_column("recipients", "alias")
    op.drop_column("outgoing", "begun_by")
    op.drop_column("outgoing", "begun_at")
    op.drop_column("outgoing", "owner")
    op.drop_column("outgoing", "text")
    op.drop_column("outgoing", "failures")
    op.drop_table("smtp_grants")
    op.drop_table("smtp_slots")
