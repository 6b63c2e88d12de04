"""Users' own addresses, from which their personal answers leave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column("mail_address", sa.String(length=320), server_default="", nullable=False, comment="of personal answers; blank: none"),
    )


def downgrade() -> None:
    op.drop_column("users", "mail_address")
