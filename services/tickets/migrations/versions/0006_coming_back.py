"""Coming back: which answer a Message-ID is of, failures somebody must look at, and the automatic mails of the last day.

Only adds, so that the code of 0005 runs on it; an answer sent by that code during the change is recognised, but what comes back about
it is not put on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ANSWER = "Origin ours: the message that left under this id, or whose server gave it this one"
FLAGGED = "A failure nobody has looked at"


def upgrade() -> None:
    op.add_column("message_ids", sa.Column("answer_id", sa.String(length=36), nullable=True, comment=ANSWER))
    op.execute(
        """
        update message_ids known set answer_id = m.id from messages m
        where known.origin = 'ours' and m.direction = 'out' and m.ticket_id = known.ticket_id and m.message_id = known.message_id
        """
    )
    op.add_column("deliveries", sa.Column("flagged", sa.Boolean(), server_default="false", nullable=False, comment=FLAGGED))
    op.create_table(
        "automatic_mails",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("scanner_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_automatic_mails")),
    )
    op.create_index("ix_automatic_mails_recipient", "automatic_mails", ["recipient", "at"])
    op.create_index("ix_automatic_mails_scanner", "automatic_mails", ["scanner_id", "at"])
    op.create_index(op.f("ix_automatic_mails_at"), "automatic_mails", ["at"])


def downgrade() -> None:
    op.drop_table("automatic_mails")
    op.drop_column("deliveries", "flagged")
    op.drop_column("message_ids", "answer_id")
