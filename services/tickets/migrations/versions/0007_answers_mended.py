"""Answers mended: bounces that name nobody, what taking back restored, drafts without a quote, notices counted apart.

Only adds, so that the code of 0006 runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FLAGGED = "A bounce that names none of the recipients, which nobody has looked at"
RESTORED = "The status that taking it back gave the ticket again"


def upgrade() -> None:
    op.add_column("message_reports", sa.Column("flagged", sa.Boolean(), server_default="false", nullable=False, comment=FLAGGED))
    op.add_column("outgoing", sa.Column("restored_status", sa.String(length=40), nullable=True, comment=RESTORED))
    op.add_column("drafts", sa.Column("quote", sa.Boolean(), server_default="true", nullable=False))
    op.add_column("automatic_mails", sa.Column("mode", sa.String(length=20), server_default="acknowledgement", nullable=False))
    op.execute("update automatic_mails a set mode = m.mode from messages m where m.id = a.id and m.mode = 'notice'")


def downgrade() -> None:
    for table, name in (("automatic_mails", "mode"), ("drafts", "quote"), ("outgoing", "restored_status"), ("message_reports", "flagged")):
        op.drop_column(table, name)
