"""Places in the history, assignee and tags, filed mails, folds.

Only adds, so that the code of 0001 runs on it: what that writes gets places next to its mail's. Rows that are there get theirs from the
mails on their tickets, in the order of their outcomes; what no mail explains (our answers, a text too long to be compared) counts from
the time it was written or, for participants, from the beginning.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("mails", "tickets", "message_ids", "participants")
_MAILS = """
    update mails m set history_id = o.place from (
        select m.mail_id, row_number() over (order by coalesce(s.created_at, m.at), m.received_at, m.mail_id) as place
        from mails m left join messages s on s.mail_id = m.mail_id
    ) o where o.mail_id = m.mail_id
"""
_GO_ON = "select setval('history', (select coalesce(max(history_id), 0) + 1 from mails))"
_TICKETS = """
    update tickets t set history_id = o.place
    from (select ticket_id, min(history_id) as place from mails where ticket_id is not null group by ticket_id) o
    where o.ticket_id = t.id
"""
_IDS = """
    with taught as (
        select s.ticket_id, m.history_id, trim(i.id) as id, i.own
        from messages s join mails m on m.mail_id = s.mail_id
        cross join lateral (
            select s.message_id as id, true as own where s.message_id is not null
            union all select unnest(s.in_reply_to || s."references"), false
        ) i
    ), first as (
        select ticket_id, id, min(history_id) as place, min(history_id) filter (where own) as mail_place from taught group by ticket_id, id
    )
    update message_ids k set history_id = f.place, mail_history_id = case when k.origin = 'mail' then f.mail_place end
    from first f where f.ticket_id = k.ticket_id and f.id = k.message_id and k.origin <> 'ours'
"""
_PARTICIPANTS = """
    with brought as (
        select s.ticket_id, m.history_id, lower(trim(a.address)) as address
        from messages s join mails m on m.mail_id = s.mail_id
        cross join lateral (
            select s.sender as address
            union all select one->>'address' from jsonb_array_elements(s.reply_to || s.recipients || s.cc) one
        ) a
    ), first as (select ticket_id, address, min(history_id) as place from brought group by ticket_id, address)
    update participants p set history_id = f.place from first f where f.ticket_id = p.ticket_id and f.address = p.address
"""
# Manual tickets and the ids of our answers: after the mails that were carried out before.
_BY_TIME = """
    update {table} r set history_id = coalesce(
        (select m.history_id from mails m where m.at <= r.created_at order by m.at desc, m.history_id desc limit 1), 0
    ) where r.history_id is null
"""


def upgrade() -> None:
    op.execute("create sequence history as bigint")
    _options()
    _history()


def _options() -> None:
    op.add_column("tickets", sa.Column("assignee", sa.Text(), nullable=True))
    op.add_column("tickets", sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.create_index("ix_tickets_assignee", "tickets", ["assignee", "id"], postgresql_where=sa.text("deleted_at is null"))
    op.create_index("ix_tickets_tags", "tickets", ["tags"], postgresql_using="gin")
    op.add_column("messages", sa.Column("folds", postgresql.JSONB(), server_default="[]", nullable=False))
    op.add_column("mails", sa.Column("record_type", sa.String(length=10), nullable=True))
    op.add_column("mails", sa.Column("record_id", sa.String(length=36), nullable=True))


def _history() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("history_id", sa.BigInteger(), nullable=True))
    comment = "Origin mail: since when; before, it was only referred to"
    op.add_column("message_ids", sa.Column("mail_history_id", sa.BigInteger(), nullable=True, comment=comment))
    op.create_index("mails_at", "mails", ["at"])
    for statement in (_MAILS, _GO_ON, _TICKETS, _IDS, _PARTICIPANTS):
        op.execute(statement)
    for table in ("tickets", "message_ids"):
        op.execute(_BY_TIME.format(table=table))
    op.execute("update participants set history_id = 0 where history_id is null")
    op.drop_index("mails_at", table_name="mails")
    for table in TABLES:
        op.alter_column(table, "history_id", nullable=False, server_default=sa.text("nextval('history')"))
    op.create_index("ix_tickets_title_history", "tickets", ["folded_title", "history_id"])


def downgrade() -> None:
    op.drop_index("ix_tickets_title_history", table_name="tickets")
    op.drop_column("message_ids", "mail_history_id")
    for table in TABLES:
        op.drop_column(table, "history_id")
    for name in ("record_id", "record_type"):
        op.drop_column("mails", name)
    op.drop_column("messages", "folds")
    op.drop_index("ix_tickets_tags", table_name="tickets")
    op.drop_index("ix_tickets_assignee", table_name="tickets")
    for name in ("tags", "assignee"):
        op.drop_column("tickets", name)
    op.execute("drop sequence history")
