"""The desk: registry, watchers, history of changes, search, spam domains, saved views, webhooks, erasures.

Only adds, so that the code of 0002 runs on it: what that writes is a contact without a sort of its own, which the registry's search
finds after its next change, and a ticket that the search finds once its next change, or the service's start, has put it into the queue.
Every ticket that is there is put into it here.
"""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
LISTS = {"contact": "contact_id", "scanner": "scanner_id", "assignee": "assignee", "source": "source"}


def upgrade() -> None:
    _registry()
    _tickets()
    _people_and_changes()
    _spam()
    _lists()
    _search()
    _desk()
    _webhooks()


def _at(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False)


def _ticket() -> sa.Column[object]:
    return sa.Column("ticket_id", sa.BigInteger(), nullable=False)


def _registry() -> None:
    op.add_column("contacts", sa.Column("type", sa.String(length=10), server_default="contact", nullable=False))
    for name in ("phone", "company", "website"):
        op.add_column("contacts", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("contacts", sa.Column("account_id", sa.String(length=36), nullable=True))
    op.add_column("contacts", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column("contacts", _now("updated_at"))
    op.create_foreign_key(op.f("fk_contacts_account_id_contacts"), "contacts", "contacts", ["account_id"], ["id"], ondelete="SET NULL")
    op.create_index("ix_contacts_type", "contacts", ["type", "created_at", "id"])
    op.create_index("ix_contacts_account", "contacts", ["account_id"], postgresql_where=sa.text("account_id is not null"))
    op.drop_index("ix_contacts_list", table_name="contacts")
    op.add_column("contact_addresses", sa.Column("type", sa.String(length=10), server_default="contact", nullable=False))
    op.drop_constraint("pk_contact_addresses", "contact_addresses", type_="primary")
    op.create_primary_key("pk_contact_addresses", "contact_addresses", ["type", "folded"])
    op.create_index("ix_contact_addresses_folded", "contact_addresses", ["folded"])
    _registry_search()


def _registry_search() -> None:
    """pg_trgm is a trusted extension: a database's owner may create it (PostgreSQL 13 and later)."""
    op.execute("create extension if not exists pg_trgm")
    comments = {"folded_name": "`domain.registry.name_key`", "words": "`domain.registry.search_words`"}
    for name, comment in comments.items():
        op.add_column("contacts", sa.Column(name, sa.Text(), server_default="", nullable=False, comment=comment))
    _fold_contacts()
    op.create_index("ix_contacts_account_name", "contacts", ["folded_name"], postgresql_where=sa.text("type = 'account'"))
    op.create_index("ix_contacts_words", "contacts", ["words"], postgresql_using="gin", postgresql_ops={"words": "gin_trgm_ops"})
    op.create_table(
        "import_parts",
        sa.Column("job_id", sa.String(length=50), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_import_parts")),
    )
    op.create_index(op.f("ix_import_parts_created_at"), "import_parts", ["created_at"])
    op.create_table(
        "import_records",
        sa.Column("job_id", sa.String(length=50), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "record_id", name=op.f("pk_import_records")),
    )


def _fold_contacts() -> None:
    """What the search looks through, for the contacts that are there; a thousand at a time."""
    read = sa.text(
        "select c.id, c.name, array_remove(array_agg(a.address order by a.position), null) addresses from contacts c "
        "left join contact_addresses a on a.contact_id = c.id where c.id > :after group by c.id order by c.id limit 1000"
    )
    write = sa.text("update contacts set folded_name = :folded_name, words = :words where id = :id")
    conn, after = op.get_bind(), ""
    while rows := conn.execute(read, {"after": after}).all():
        values = [
            {"id": row.id, "folded_name": _folded(row.name)[:200], "words": "\n".join(map(_folded, [row.name, *row.addresses]))}
            for row in rows
        ]
        conn.execute(write, values)
        after = rows[-1].id


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(char for char in decomposed if not unicodedata.combining(char)).casefold().split())


def _tickets() -> None:
    op.add_column("tickets", sa.Column("external_code", sa.Text(), nullable=True))
    op.add_column("tickets", sa.Column("folded_code", sa.Text(), nullable=True))
    op.add_column("tickets", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_tickets_merged_into_tickets"), "tickets", "tickets", ["merged_into"], ["id"])
    op.drop_index("ix_tickets_sender", table_name="tickets")
    op.create_index("ix_tickets_sender", "tickets", ["sender_folded", "id"], postgresql_ops={"sender_folded": "text_pattern_ops"})
    op.create_index("ix_tickets_code", "tickets", ["folded_code", "id"], postgresql_where=sa.text("folded_code is not null"))
    op.create_index("ix_tickets_merged", "tickets", ["merged_into"], postgresql_where=sa.text("merged_into is not null"))
    op.create_index("ix_tickets_title_merged", "tickets", ["folded_title", "id"], postgresql_where=sa.text("merged_into is not null"))
    comment = "Where it was before a merge or split"
    op.add_column("messages", sa.Column("first_ticket_id", sa.BigInteger(), nullable=True, comment=comment))
    op.create_index("ix_mails_record", "mails", ["record_id", "received_at"], postgresql_where=sa.text("record_id is not null"))


def _people_and_changes() -> None:
    op.create_table(
        "watchers",
        _ticket(),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "removed", sa.Boolean(), server_default="false", nullable=False, comment="By an operator: a later Cc does not bring him back"
        ),
        _now("created_at"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_watchers_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "folded", name=op.f("pk_watchers")),
    )
    op.create_index(op.f("ix_watchers_folded"), "watchers", ["folded"])
    op.create_table(
        "ticket_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _ticket(),
        _at("at", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("changes", postgresql.JSONB(), server_default="[]", nullable=False, comment="[{field, before, after}]"),
        sa.Column("mail_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("other_ticket_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_changes_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_changes")),
    )
    op.create_index("ix_ticket_changes_ticket", "ticket_changes", ["ticket_id", "id"])


def _spam() -> None:
    """Whoever wrote or was given a ticket until now is an operator."""
    reason, held = sa.text("deleted_reason = 'spam'"), sa.text("type = 'spam' and ticket_id is null")
    op.create_index("ix_tickets_spam", "tickets", ["sender_folded", "id"], postgresql_where=reason)
    op.create_index("ix_mails_held", "mails", ["sender_folded", "mail_id"], postgresql_where=held)
    op.create_table(
        "operators",
        sa.Column("address", sa.Text(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_operators")),
    )
    op.execute(
        """
        insert into operators (address)
        select distinct lower(who) from (
            select substring(author from '^user:(.*)$') who from messages union all select assignee from tickets
        ) known where who like '%@%' and length(who) <= 320
        """
    )


def _lists() -> None:
    """Each filter alone and with a status walks one index from the newest ticket; tags are found by the search."""
    for name, column in LISTS.items():
        where = None if name == "contact" else sa.text("deleted_at is null")
        op.drop_index(f"ix_tickets_{name}", table_name="tickets")
        op.create_index(f"ix_tickets_{name}", "tickets", [column, "status", "id"], postgresql_where=where)
    op.drop_index("ix_tickets_tags", table_name="tickets")


def _search() -> None:
    op.create_table(
        "ticket_search",
        _ticket(),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_search_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_ticket_search")),
    )
    op.create_index("ix_ticket_search_words", "ticket_search", ["words"], postgresql_using="gin", postgresql_with={"fastupdate": "off"})
    op.create_table(
        "search_queue",
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("background", sa.Boolean(), server_default="false", nullable=False, comment="Queued with all others, not by a change"),
        _now("created_at"),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_search_queue")),
    )
    op.create_index("ix_search_queue_next", "search_queue", ["background", "created_at"])
    op.execute("insert into search_queue (ticket_id, background) select id, true from tickets order by id")


def _desk() -> None:
    op.create_table(
        "desk_settings",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_desk_settings")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("filter", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index("ix_saved_views_owner", "saved_views", ["owner", "created_at"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="running", nullable=False),
        sa.Column("reports", postgresql.JSONB(), server_default="[]", nullable=False),
        _at("before", nullable=False),
        _now("created_at"),
        _at("finished_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_digest"), "erasures", ["digest"])


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False, comment="Encrypted by the key ring"),
        sa.Column("previous_secret", sa.Text(), nullable=True, comment="Signs beside the new one until `previous_until`"),
        _at("previous_until"),
        sa.Column("types", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        _at("failing_since"),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("webhook_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="waiting", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        _at("next_try_at"),
        sa.Column("claimed_by", sa.String(length=60), nullable=True),
        _at("claimed_until"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        _now("created_at"),
        _at("delivered_at"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index("ix_webhook_deliveries_event", "webhook_deliveries", ["webhook_id", "event_id"], unique=True)
    op.create_index("ix_webhook_deliveries_log", "webhook_deliveries", ["webhook_id", "created_at", "id"])
    waiting, finished = sa.text("state = 'waiting'"), sa.text("state <> 'waiting'")
    op.create_index("ix_webhook_deliveries_waiting", "webhook_deliveries", ["webhook_id", "next_try_at"], postgresql_where=waiting)
    op.create_index("ix_webhook_deliveries_finished", "webhook_deliveries", ["created_at"], postgresql_where=finished)


def downgrade() -> None:
    """Accounts and leads, watchers, the history and all settings of the desk are lost; contacts keep the addresses they had."""
    for table in (
        "webhook_deliveries",
        "webhooks",
        "erasures",
        "saved_views",
        "desk_settings",
        "search_queue",
        "ticket_search",
        "ticket_changes",
        "watchers",
        "operators",
    ):
        op.drop_table(table)
    op.create_index("ix_tickets_tags", "tickets", ["tags"], postgresql_using="gin")
    for name, column in LISTS.items():
        where = None if name == "contact" else sa.text("deleted_at is null")
        op.drop_index(f"ix_tickets_{name}", table_name="tickets")
        op.create_index(f"ix_tickets_{name}", "tickets", [column, "id"], postgresql_where=where)
    op.drop_index("ix_mails_held", table_name="mails")
    op.drop_index("ix_tickets_spam", table_name="tickets")
    op.drop_index("ix_mails_record", table_name="mails")
    op.drop_column("messages", "first_ticket_id")
    op.drop_index("ix_tickets_sender", table_name="tickets")
    op.create_index("ix_tickets_sender", "tickets", ["sender_folded", "id"])
    for name in ("merged_into", "folded_code", "external_code"):
        op.drop_column("tickets", name)
    op.execute("update tickets set contact_id = null where contact_id in (select id from contacts where type <> 'contact')")
    op.execute("delete from contacts where type <> 'contact'")
    op.drop_index("ix_contact_addresses_folded", table_name="contact_addresses")
    op.drop_constraint("pk_contact_addresses", "contact_addresses", type_="primary")
    op.drop_column("contact_addresses", "type")
    op.create_primary_key("pk_contact_addresses", "contact_addresses", ["folded"])
    op.create_index("ix_contacts_list", "contacts", ["created_at", "id"])
    op.drop_table("import_records")
    op.drop_table("import_parts")
    op.drop_index("ix_contacts_words", table_name="contacts")
    op.drop_index("ix_contacts_account_name", table_name="contacts")
    for name in ("words", "folded_name", "account_id", "note", "updated_at", "website", "company", "phone", "type"):
        op.drop_column("contacts", name)
