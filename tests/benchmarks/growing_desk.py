"""Desks of any size, made within Postgres: texts of a pool written with Zipf's law, people, conversations, and what the search keeps.

A ticket takes about 6 KB of disk with all indexes.
"""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tickets.adapters.search_store import stems_of
from tickets.domain.search_document import read_words, vector

POOL: Final = 5_000
VOCABULARY: Final = 30_000
WORDS_OF_A_TEXT: Final = 90
ZIPF: Final = 1.05
SEED: Final = 20261123
SCANNERS: Final = 8
OPERATORS: Final = 40
LOADED: Final = ("tickets", "messages", "message_ids", "participants", "mails", "contacts", "contact_addresses", "ticket_search")

_STEPS: Final = (
    """
    insert into contacts (id, type, name) select 'contact-' || n, 'contact', initcap((select word from words where rank = 50 + n % 20000))
        || ' ' || initcap((select word from words where rank = 50 + n * 7 % 20000)) from generate_series(1, :size / 10) n
    """,
    """
    insert into contact_addresses (type, folded, contact_id, address)
    select 'contact', 'person' || n || '@firm' || n % 997 || '.example', 'contact-' || n, 'Person' || n || '@firm' || n % 997 || '.example'
    from generate_series(1, :size / 10) n
    """,
    """
    insert into tickets (title, folded_title, description, status, priority, category, assignee, tags, source, scanner_id, sender,
                         sender_folded, recipients, contact_id, closed_at, created_at, updated_at)
    select title, title, body, status, case when n % 50 = 0 then 'urgent' else 'normal' end, case when n % 20 = 0 then 'billing' end,
           case when n % 4 > 0 then 'op' || n % 40 || '@company.example' end,
           case when n % 3 = 0 then array['customer'] when n % 997 = 0 then array['legal'] else '{}' end,
           case when n % 10 = 0 then 'manual' else 'mail' end, 's' || 1 + n % 8, 'person' || who || '@firm' || who % 997 || '.example',
           'person' || who || '@firm' || who % 997 || '.example', '{help@company.example}', 'contact-' || who,
           case when status = 'closed' then began end, began, began
    from (select n, p.title || ' ref' || n as title, p.body, timestamptz '2026-11-01' - (:size - n) * interval '1 minute' as began,
                 1 + cast(floor(:size / 10 * power(random(), 3)) as integer) as who,
                 case when random() < 0.85 then 'closed' when random() < 0.5 then 'open' when random() < 0.5 then 'waiting'
                      else 'in_progress' end as status
          from generate_series(1, :size) n join pool p on p.id = n % 5000 order by n) made
    """,
    """
    insert into messages (id, ticket_id, kind, direction, sender, sender_name, text, mail_id, message_id, received_at, order_id)
    select 'm' || part || '-' || t.id, t.id, 'mail', 'in', t.sender, c.name, case when part = 1 then t.description else p.body end,
           'mail' || part || '-' || t.id, '<m' || part || '-' || t.id || '@mail.example>', t.created_at + part * interval '1 hour',
           'mail' || part || '-' || t.id
    from tickets t join contacts c on c.id = t.contact_id cross join generate_series(1, 2) part join pool p on p.id = (t.id * 7 + 1) % 5000
    where part = 1 or t.id % 2 = 0
    """,
    """
    insert into mails (mail_id, run, revision, type, ticket_id, kind, scanner_id, sender_folded, received_at, at)
    select m.mail_id, 1, 1, 'ticket', m.ticket_id, 'mail', t.scanner_id, t.sender_folded, m.received_at, m.received_at
    from messages m join tickets t on t.id = m.ticket_id
    """,
    """
    insert into message_ids (message_id, ticket_id, scanner_id, origin, mail_history_id)
    select m.message_id, m.ticket_id, t.scanner_id, 'mail', 1 from messages m join tickets t on t.id = m.ticket_id
    """,
    """
    insert into participants (ticket_id, address) select id, sender_folded from tickets
    union all select id, 'colleague' || id % 5003 || '@firm' || id % 997 || '.example' from tickets where id % 3 = 0
    """,
    """
    insert into ticket_search (ticket_id, words)
    select t.id, p.words || cast(concat_ws(' ', t.id, 'ref' || t.id, quote_literal(t.sender), 'person' || split_part(t.contact_id, '-', 2),
        'firm' || cast(split_part(t.contact_id, '-', 2) as integer) % 997, quote_literal('m1-' || t.id || '@mail.example'),
        quote_literal('=16:' || (t.id >> 16)), quote_literal('=18:' || (t.id >> 18)),
        quote_literal('=20:' || (t.id >> 20)), quote_literal('=status:' || t.status),
        quote_literal('=source:' || t.source), quote_literal('=scanner_id:' || t.scanner_id), quote_literal('=contact_id:' || t.contact_id),
        quote_literal('=assignee:' || coalesce(t.assignee, '')), quote_literal('=priority:' || t.priority),
        quote_literal('=category:' || coalesce(t.category, '')),
        (select string_agg(quote_literal('=tag:' || tag), ' ') from unnest(t.tags) tag)) as tsvector)
    from tickets t join pool p on p.id = t.id % 5000
    """,
)


async def make_desk(engine: AsyncEngine, size: int) -> None:
    """Fill an empty desk. Indexes and foreign keys are put up after the rows: many times quicker."""
    async with engine.begin() as conn:
        for setting in ("statement_timeout = 0", "maintenance_work_mem = '1GB'", "work_mem = '128MB'", "synchronous_commit = off"):
            await conn.execute(text(f"set local {setting}"))
        await conn.execute(text("select setseed(0.5)"))
        await _make_pool(conn)
        put_up = await _take_down(conn)
        for step in _STEPS:
            await conn.execute(text(step), {"size": size} if ":size" in step else {})
        for statement in put_up:
            await conn.exec_driver_sql(statement)
        await conn.execute(text("drop table pool, words"))
    async with engine.connect() as conn:
        plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("set statement_timeout = 0"))
        await plain.execute(text("vacuum analyze"))


def word(rank: int) -> str:
    """A made-up word; the lower its rank, the more texts have it."""
    syllables = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sta", "tre", "vi", "zo", "qua", "ber")
    made, left = "", rank + 300
    while left:
        left, digit = divmod(left, len(syllables))
        made += syllables[digit]
    return made + "n"


async def _make_pool(conn: AsyncConnection) -> None:
    chance = random.Random(SEED)
    vocabulary = [word(rank) for rank in range(VOCABULARY)]
    weights = list(accumulate(1 / (rank + 1) ** ZIPF for rank in range(VOCABULARY)))
    texts = [" ".join(chance.choices(vocabulary, cum_weights=weights, k=WORDS_OF_A_TEXT)) for _ in range(POOL)]
    stems = (await stems_of(conn, vocabulary)).stems
    rows = [
        {"id": place, "title": " ".join(body.split()[:6]), "body": body, "words": vector(read_words([body]), stems, ())}
        for place, body in enumerate(texts)
    ]
    await conn.execute(text("create table pool (id integer, title text, body text, words tsvector)"))
    await conn.execute(text("insert into pool values (:id, :title, :body, cast(:words as tsvector))"), rows)
    await conn.execute(text("create table words (rank integer primary key, word text)"))
    ranked = [{"rank": rank, "word": one} for rank, one in enumerate(vocabulary)]
    await conn.execute(text("insert into words values (:rank, :word)"), ranked)
    await conn.execute(text("analyze pool"))


async def _take_down(conn: AsyncConnection) -> list[str]:
    """Drop the foreign keys and the indexes that guard nothing; returns what puts them up again."""
    keys = await conn.execute(
        text(
            """
            select conrelid::regclass::text as name, conname, pg_get_constraintdef(oid) as definition from pg_constraint
            where contype = 'f' and (conrelid::regclass::text = any(:names) or confrelid::regclass::text = any(:names))
            """
        ),
        {"names": list(LOADED)},
    )
    put_up = []
    for name, key, definition in keys.all():
        await conn.exec_driver_sql(f"alter table {name} drop constraint {key}")
        put_up.append(f"alter table {name} add constraint {key} {definition}")
    indexes = await conn.execute(
        text("select indexname, indexdef from pg_indexes where tablename = any(:names) and indexdef not like 'CREATE UNIQUE%'"),
        {"names": list(LOADED)},
    )
    for name, definition in indexes.all():
        await conn.exec_driver_sql(f"drop index {name}")
        put_up.insert(0, definition)
    return put_up
