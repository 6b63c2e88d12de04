"""mailboxes: OAuth, moves, push, leases by fetcher, scans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _scanners()
    _ledger()
    op.add_column("folders", sa.Column("problem", sa.Text(), nullable=True, comment="why it cannot be read, in plain words"))
    op.add_column("folders", sa.Column("renamed_to", sa.String(length=500), nullable=True))
    op.alter_column("jobs", "scanner_id", nullable=True, comment="null: of all scanners", existing_type=sa.String(length=36))
    op.add_column("jobs", sa.Column("kind", sa.String(length=10), server_default="scan", nullable=False, comment="scan or check"))
    op.add_column("jobs", sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    held = "of a check: who runs it, as long as `until`"
    op.add_column("jobs", sa.Column("holder", sa.String(length=60), nullable=True, comment=held))
    op.add_column("jobs", sa.Column("until", MOMENT, nullable=True))
    begun = "times a check was begun"
    op.add_column("jobs", sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False, comment=begun))
    _new_tables()


def _scanners() -> None:
    op.add_column(
        "scanners",
        sa.Column(
            "oauth", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="OAuthFields; its secrets are in the table oauth"
        ),
    )
    op.add_column("scanners", sa.Column("move_matched_to", sa.String(length=500), nullable=True))
    op.add_column("scanners", sa.Column("move_unmatched_to", sa.String(length=500), nullable=True))
    op.add_column("scanners", sa.Column("push", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("scanners", sa.Column("backlog", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "scanners", sa.Column("watching", sa.String(length=10), nullable=True, comment="push or poll, while somebody holds the mailbox")
    )
    op.execute("update scanners set lease_holder = null, lease_token = lease_token + 1")
    op.alter_column(
        "scanners",
        "lease_holder",
        existing_type=sa.String(length=100),
        comment="a row of fetchers, whose time is the lease's; null: free",
    )
    op.drop_index("ix_scanners_due", table_name="scanners", postgresql_where=sa.text("enabled"))
    op.drop_column("scanners", "lease_until")
    op.create_index("ix_scanners_free", "scanners", ["id"], postgresql_where=sa.text("enabled and lease_holder is null"))
    op.create_index("ix_scanners_holder", "scanners", ["lease_holder"], postgresql_where=sa.text("lease_holder is not null"))


def _ledger() -> None:
    op.add_column(
        "ledger",
        sa.Column("at_folder", sa.String(length=500), nullable=True, comment="where our own move left it; null: at its first place"),
    )
    op.add_column("ledger", sa.Column("at_uid_validity", sa.BigInteger(), nullable=True))
    comment = "null where the server did not say: found again by Message-ID and bytes"
    op.add_column("ledger", sa.Column("at_uid", sa.BigInteger(), nullable=True, comment=comment))
    op.add_column("ledger", sa.Column("move_to", sa.String(length=500), nullable=True, comment="folder it is wanted in"))
    comment = "folder of a move that was begun, and whose end is not written down"
    op.add_column("ledger", sa.Column("moving_to", sa.String(length=500), nullable=True, comment=comment))
    op.add_column("ledger", sa.Column("move_after", MOMENT, nullable=True))
    op.add_column("ledger", sa.Column("move_tries", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("ledger", sa.Column("move_error", sa.Text(), nullable=True))
    op.create_index("ix_ledger_move", "ledger", ["move_after"], postgresql_where=sa.text("move_to is not null"))
    op.create_index("ix_ledger_outcome", "ledger", ["outcome_type", "number"])
    op.create_index("ix_ledger_received", "ledger", ["received_at"])
    op.create_index("ix_ledger_duplicate", "ledger", ["duplicate_of"], postgresql_where=sa.text("duplicate_of is not null"))


def _new_tables() -> None:
    scanner = ("scanner_id", sa.String(length=36))
    op.create_table(
        "fetchers",
        sa.Column("id", sa.String(length=100), nullable=False, comment="one life of one process: never used again"),
        sa.Column("until", MOMENT, nullable=False, comment="end of all its leases, renewed as one row"),
        sa.Column("started_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetchers")),
    )
    op.create_table(
        "oauth",
        sa.Column(*scanner, nullable=False),
        *(
            sa.Column(name, sa.Text(), server_default="", nullable=False, comment=f"sealed for place scanner:<id>:{name}")
            for name in ("client_secret", "refresh_token", "access_token")
        ),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("renewed_at", MOMENT, nullable=True),
        sa.Column("renew_after", MOMENT, nullable=True, comment="until then somebody renews, or the provider is left alone"),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["scanner_id"], ["scanners.id"], name=op.f("fk_oauth_scanner_id_scanners"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scanner_id", name=op.f("pk_oauth")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("state", sa.String(length=100), nullable=False, comment="what the provider sends back; used once"),
        sa.Column(*scanner, nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False, comment="PKCE (RFC 7636), sealed for place sign_in:<state>"),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["scanner_id"], ["scanners.id"], name=op.f("fk_sign_ins_scanner_id_scanners"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_sign_ins")),
    )
    op.create_table(
        "scans",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(*scanner, nullable=False),
        sa.Column("started_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["scanner_id"], ["scanners.id"], name=op.f("fk_scans_scanner_id_scanners"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
    )
    op.create_index("ix_scans_scanner", "scans", ["scanner_id", "started_at"], unique=False)


def downgrade() -> None:
    for table in ("scans", "sign_ins", "oauth", "fetchers"):
        op.drop_table(table)
    op.execute("delete from jobs where scanner_id is null")
    for name in ("tries", "until", "holder", "options", "kind"):
        op.drop_column("jobs", name)
    op.alter_column("jobs", "scanner_id", nullable=False, comment=None, existing_type=sa.String(length=36))
    for name in ("renamed_to", "problem"):
        op.drop_column("folders", name)
    op.drop_index("ix_ledger_duplicate", table_name="ledger")
    op.drop_index("ix_ledger_received", table_name="ledger")
    op.drop_index("ix_ledger_outcome", table_name="ledger")
    op.drop_index("ix_ledger_move", table_name="ledger")
    for name in ("move_error", "move_tries", "move_after", "moving_to", "move_to", "at_uid", "at_uid_validity", "at_folder"):
        op.drop_column("ledger", name)
    op.drop_index("ix_scanners_holder", table_name="scanners")
    op.drop_index("ix_scanners_free", table_name="scanners")
    for name in ("watching", "backlog", "push", "move_unmatched_to", "move_matched_to", "oauth"):
        op.drop_column("scanners", name)
    op.add_column("scanners", sa.Column("lease_until", MOMENT, nullable=True))
    op.create_index("ix_scanners_due", "scanners", ["next_scan_at"], postgresql_where=sa.text("enabled"))
