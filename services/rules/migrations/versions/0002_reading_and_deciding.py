"""Evidence in place of traces and commands, statistics, simulations, examples; a deleted scanner keeps its rule sets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("scanners", sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False))
    _decisions()
    _statistics()
    _simulations()
    _examples()


def _decisions() -> None:
    """The trace of a decision made before is kept as it was written (`{"trace": [...]}`); what became of the mail is not counted."""
    op.add_column("decisions", sa.Column("kind_reason", sa.Text(), server_default="", nullable=False))
    op.add_column("decisions", sa.Column("candidates", JSONB, nullable=True))
    op.add_column("decisions", sa.Column("evidence", JSONB, nullable=True))
    op.add_column("decisions", sa.Column("received_at", TIME, nullable=True))
    op.add_column("decisions", sa.Column("archive_key", sa.Text(), nullable=True))
    op.add_column("decisions", sa.Column("acted_rule_id", sa.String(length=100), nullable=True))
    op.execute(
        "update decisions set candidates = coalesce(command->'candidates', '[]'), evidence = jsonb_build_object('trace', trace), "
        "received_at = (command->>'received_at')::timestamptz, archive_key = command->>'archive_key', "
        "acted_rule_id = outcome->>'rule_id'"
    )
    for name in ("candidates", "received_at", "archive_key"):
        op.alter_column("decisions", name, nullable=False)
    for name in ("trace", "command", "command_id"):
        op.drop_column("decisions", name)
    op.drop_index(op.f("ix_decisions_scanner_id_decided_at"), table_name="decisions")
    op.create_index(op.f("ix_decisions_scanner_id_received_at"), "decisions", ["scanner_id", "received_at"], unique=False)


def _statistics() -> None:
    op.create_table(
        "rule_counts",
        sa.Column("rule_id", sa.String(length=100), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("acted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_matched_at", TIME, nullable=True),
        sa.Column("last_acted_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("rule_id", "day", "slot", name=op.f("pk_rule_counts")),
    )


def _simulations() -> None:
    op.create_table(
        "simulations",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("scanner_id", sa.String(length=100), nullable=False),
        sa.Column("author", sa.String(length=300), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("mails", JSONB, nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("rules", JSONB, nullable=False),
        sa.Column("state", sa.String(length=20), server_default="queued", nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("totals", JSONB, server_default="[]", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulations")),
    )
    op.create_index(op.f("ix_simulations_created_at"), "simulations", ["created_at"], unique=False)
    op.create_index(
        "ix_simulations_open", "simulations", ["created_at"], unique=False, postgresql_where=sa.text("state in ('queued', 'running')")
    )
    op.create_table(
        "simulated_mails",
        sa.Column("simulation_id", sa.String(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.String(length=100), nullable=True),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.Column("received_at", TIME, nullable=True),
        sa.Column("kind", sa.String(length=40), server_default="", nullable=False),
        sa.Column("kind_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("before", JSONB, nullable=True),
        sa.Column("after", JSONB, nullable=True),
        sa.Column("change", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", JSONB, nullable=True),
        sa.ForeignKeyConstraint(
            ["simulation_id"], ["simulations.id"], name=op.f("fk_simulated_mails_simulation_id_simulations"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("simulation_id", "position", name=op.f("pk_simulated_mails")),
    )


def _examples() -> None:
    op.create_table(
        "examples",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("scanner_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("mail_id", sa.String(length=100), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.Column("expected", JSONB, nullable=False),
        sa.Column("author", sa.String(length=300), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["scanner_id"], ["scanners.scanner_id"], name=op.f("fk_examples_scanner_id_scanners"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_examples")),
    )
    op.create_index(op.f("ix_examples_scanner_id_created_at"), "examples", ["scanner_id", "created_at"], unique=False)


def downgrade() -> None:
    """Back to a service that keeps traces and commands.

    Gone are statistics, simulations, examples, and deleted scanners with their rule sets, as that service deletes them. Decisions stay.
    One made before has its trace; one made since has none (`[]`), for only this version can tell it from the evidence. The command is
    made again without the mail itself. Delivered once more, it gets the outcome it had from a tickets that knows the mail; one that does
    not makes it a dead letter, to be retried under this version.
    """
    for name in ("examples", "simulated_mails", "simulations", "rule_counts"):
        op.drop_table(name)
    op.execute("delete from scanners where deleted")
    op.drop_column("scanners", "deleted")
    _decisions_back()


def _decisions_back() -> None:
    op.add_column("decisions", sa.Column("trace", JSONB, nullable=True))
    op.add_column("decisions", sa.Column("command", JSONB, nullable=True))
    op.add_column("decisions", sa.Column("command_id", sa.String(length=100), nullable=True))
    op.execute(
        "update decisions set trace = coalesce(evidence->'trace', '[]'), command_id = '', command = jsonb_build_object("
        "'mail_id', mail_id, 'run', run, 'kind', case kind when 'own' then 'own' else 'mail' end, 'scanner_id', scanner_id, "
        "'received_at', received_at, 'archive_key', archive_key, 'rule_set_version', rule_set_version, 'candidates', candidates)"
    )
    for name in ("trace", "command", "command_id"):
        op.alter_column("decisions", name, nullable=False)
    op.drop_index(op.f("ix_decisions_scanner_id_received_at"), table_name="decisions")
    for name in ("kind_reason", "candidates", "evidence", "received_at", "archive_key", "acted_rule_id"):
        op.drop_column("decisions", name)
    op.create_index(op.f("ix_decisions_scanner_id_decided_at"), "decisions", ["scanner_id", "decided_at"], unique=False)
