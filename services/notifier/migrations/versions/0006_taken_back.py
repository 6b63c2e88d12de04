"""What is known of an answer between its tries: that its server may have it, that it was taken back, and where its bytes are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FLAGS = {
    "unanswered": "A dialogue ended without an answer to the mail: the server may have it",
    "cancel_asked": "It was taken back while a dialogue was under way: no further try",
}


def upgrade() -> None:
    for name, comment in FLAGS.items():
        op.add_column("outgoing", sa.Column(name, sa.Boolean(), server_default="false", nullable=False, comment=comment))
    keys = postgresql.ARRAY(sa.Text())
    op.add_column(
        "outgoing", sa.Column("blobs", keys, server_default="{}", nullable=False, comment="All keys the archive may hold bytes of it under")
    )


def downgrade() -> None:
    for name in ("blobs", *FLAGS):
        op.drop_column("outgoing", name)
