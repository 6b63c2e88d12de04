"""Loads the past of a batch of commands: a fixed number of queries, no locks, nothing written."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, BigInteger, Text, any_, cast, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import TicketCommand
from tickets.adapters.desk import TICKET_COLUMNS, TICKETS_PER_ID, load_lists, own_addresses, ticket_state
from tickets.adapters.tables import mails, participants, tickets
from tickets.domain.past import Past
from tickets.domain.state import KnownId
from tickets.domain.wanted import Wanted

READ_ONLY = text("set transaction isolation level repeatable read, read only")
"""One moment for all queries, and Postgres itself refuses to write."""
_KNOWN_IDS = text(
    """
    select k.id as key, k.place, m.ticket_id, m.scanner_id,
        case when m.origin = 'mail' and coalesce(m.mail_history_id, m.history_id) >= k.place then 'referred' else m.origin end as origin
    from unnest(cast(:ids as text[]), cast(:places as bigint[])) k(id, place)
    cross join lateral (
        select * from message_ids where message_id = k.id and history_id < k.place order by ticket_id desc limit :most
    ) m
    """
)
_TITLES = text(
    """
    select k.scanner, k.title, k.place, t.id
    from unnest(cast(:scanners as text[]), cast(:titles as text[]), cast(:places as bigint[])) k(scanner, title, place)
    cross join lateral (
        select id from tickets where folded_title = k.title and deleted_at is null and (scanner_id = k.scanner or scanner_id is null)
        and history_id < k.place order by history_id desc, id desc limit 1
    ) t
    """
)


async def load_past(conn: AsyncConnection, commands: Sequence[TicketCommand]) -> Past:
    """Of a transaction begun with `READ_ONLY`."""
    wanted = Wanted.by(commands)
    past = Past(own=await own_addresses(conn))
    past.spam, past.contacts = await load_lists(conn, wanted)
    places = select(mails.c.mail_id, mails.c.history_id).where(mails.c.mail_id == any_(cast(wanted.mails, ARRAY(Text))))
    past.places = {row.mail_id: row.history_id for row in await conn.execute(places)}
    await _load_ids(conn, commands, past)
    await _load_titles(conn, commands, past)
    await _load_tickets(conn, wanted, past)
    return past


async def _load_ids(conn: AsyncConnection, commands: Sequence[TicketCommand], past: Past) -> None:
    asked = sorted({(key, past.place(command)) for command in commands for key in Wanted.by([command]).ids})
    if not asked:
        return
    values = {"ids": [key for key, _ in asked], "places": [place for _, place in asked], "most": TICKETS_PER_ID}
    for row in await conn.execute(_KNOWN_IDS, values):
        past.ids.setdefault((row.key, row.place), []).append(KnownId(row.ticket_id, row.scanner_id, row.origin))


async def _load_titles(conn: AsyncConnection, commands: Sequence[TicketCommand], past: Past) -> None:
    asked = sorted({(*key, past.place(command)) for command in commands for key in Wanted.by([command]).titles})
    if not asked:
        return
    scanners, titles, places = zip(*asked, strict=True)
    values = {"scanners": list(scanners), "titles": list(titles), "places": list(places)}
    past.titles = {(row.scanner, row.title, row.place): row.id for row in await conn.execute(_TITLES, values)}


async def _load_tickets(conn: AsyncConnection, wanted: Wanted, past: Past) -> None:
    numbers = sorted({*wanted.numbers, *past.titles.values(), *(known.ticket_id for found in past.ids.values() for known in found)})
    if not numbers:
        return
    found = cast(numbers, ARRAY(BigInteger))
    query = select(*TICKET_COLUMNS).where(tickets.c.id == any_(found))
    past.tickets = {row.id: ticket_state(row) for row in await conn.execute(query)}
    people = select(participants).where(participants.c.ticket_id == any_(found))
    people = people.where(participants.c.address == any_(cast(wanted.senders, ARRAY(Text))))
    for row in await conn.execute(people):
        past.participants.setdefault(row.ticket_id, {})[row.address] = row.history_id
