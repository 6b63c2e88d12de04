"""Loads the past of a batch of commands: a fixed number of queries, no locks, nothing written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import ARRAY, BigInteger, Text, TextClause, any_, cast, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import TicketCommand
from tickets.adapters.desk import TICKET_COLUMNS, TICKETS_PER_ID, load_lists, newest, own_addresses, ticket_state, with_merged
from tickets.adapters.desk_settings import acknowledges_unchecked
from tickets.adapters.tables import mails, participants
from tickets.domain.past import Past
from tickets.domain.state import KnownId
from tickets.domain.wanted import Wanted

READ_ONLY = text("set transaction isolation level repeatable read, read only")
"""One moment for all queries, and Postgres itself refuses to write."""
_KNOWN_IDS = text(
    """
    select k.id as key, k.place, m.ticket_id, m.scanner_id,
        case when m.origin = 'mail' and coalesce(m.mail_history_id, m.history_id) >= k.place then 'referred' else m.origin end as origin,
        m.answer_id
    from unnest(cast(:ids as text[]), cast(:places as bigint[])) k(id, place)
    cross join lateral (
        select * from message_ids where message_id = k.id and history_id < k.place order by ticket_id desc limit :most
    ) m
    """
)
_TITLES: Final = newest("folded_title", "and history_id < k.place", "history_id desc, id desc")
_CODES: Final = newest("folded_code", "and history_id < k.place", "history_id desc, id desc")


async def load_past(conn: AsyncConnection, commands: Sequence[TicketCommand]) -> Past:
    """Of a transaction begun with `READ_ONLY`."""
    wanted = Wanted.by(commands)
    past = Past(own=await own_addresses(conn))
    past.acknowledge_unchecked = await acknowledges_unchecked(conn)
    past.spam, past.records = await load_lists(conn, wanted)
    places = select(mails.c.mail_id, mails.c.history_id).where(mails.c.mail_id == any_(cast(wanted.mails, ARRAY(Text))))
    past.places = {row.mail_id: row.history_id for row in await conn.execute(places)}
    asked = [(Wanted.by([command]), past.place(command)) for command in commands]
    await _load_ids(conn, {(key, place) for one, place in asked for key in one.ids}, past)
    past.titles = await _load_newest(conn, _TITLES, {(*key, place) for one, place in asked for key in one.titles})
    past.codes = await _load_newest(conn, _CODES, {(*key, place) for one, place in asked for key in one.codes})
    await _load_tickets(conn, wanted, past)
    return past


async def _load_ids(conn: AsyncConnection, wanted: Collection[tuple[str, int]], past: Past) -> None:
    if not wanted:
        return
    ids, places = zip(*sorted(wanted), strict=True)
    values = {"ids": list(ids), "places": list(places), "most": TICKETS_PER_ID}
    for row in await conn.execute(_KNOWN_IDS, values):
        past.ids.setdefault((row.key, row.place), []).append(KnownId(row.ticket_id, row.scanner_id, row.origin, row.answer_id))


async def _load_newest(
    conn: AsyncConnection, query: TextClause, wanted: Collection[tuple[str, str, int]]
) -> dict[tuple[str, str, int], int]:
    if not wanted:
        return {}
    scanners, keys, places = zip(*sorted(wanted), strict=True)
    values = {"scanners": list(scanners), "keys": list(keys), "places": list(places)}
    return {(row.scanner, row.key, row.place): row.id for row in await conn.execute(query, values)}


async def _load_tickets(conn: AsyncConnection, wanted: Wanted, past: Past) -> None:
    known = {one.ticket_id for found in past.ids.values() for one in found}
    numbers = {*wanted.all_numbers(past.own), *past.titles.values(), *past.codes.values(), *known}
    if not numbers:
        return
    query = select(*TICKET_COLUMNS).where(with_merged(numbers))
    past.tickets = {row.id: ticket_state(row) for row in await conn.execute(query)}
    people = select(participants).where(participants.c.ticket_id == any_(cast(list(past.tickets), ARRAY(BigInteger))))
    people = people.where(participants.c.address == any_(cast(wanted.senders, ARRAY(Text))))
    for row in await conn.execute(people):
        past.participants.setdefault(row.ticket_id, {})[row.address] = row.history_id
