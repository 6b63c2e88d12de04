"""OAuth 2.0 of SMTP identities: settings, tokens, sign-ins under way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    sender = ("sender_id", sa.String(length=100))
    settings = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("senders", sa.Column("oauth", settings, nullable=True, comment="OAuthFields; its secrets are in the table oauth"))
    op.create_table(
        "oauth",
        sa.Column(*sender, nullable=False),
        *(
            sa.Column(name, sa.Text(), server_default="", nullable=False, comment=f"sealed for place sender:<id>:{name}")
            for name in ("client_secret", "refresh_token", "access_token")
        ),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("renewed_at", MOMENT, nullable=True),
        sa.Column("renew_after", MOMENT, nullable=True, comment="until then somebody renews, or the provider is left alone"),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_oauth_sender_id_senders"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sender_id", name=op.f("pk_oauth")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("state", sa.String(length=100), nullable=False, comment="what the provider sends back; used once"),
        sa.Column(*sender, nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False, comment="PKCE (RFC 7636), sealed for place sign_in:<state>"),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_sign_ins_sender_id_senders"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_sign_ins")),
    )


def downgrade() -> None:
    for table in ("sign_ins", "oauth"):
        op.drop_table(table)
    op.drop_column("senders", "oauth")
