"""Loads the desk for a batch: a fixed number of queries, whatever the batch's length."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import RecordType
from shared.events import OutcomeType, TicketCommand
from tickets.adapters.desk_settings import acknowledges_unchecked
from tickets.adapters.moves import hold_moves_off
from tickets.adapters.tables import mails, participants, record_addresses, scanners, spam_senders, tickets
from tickets.domain.state import MAX_MERGES, Desk, KnownId, MailState, TicketState
from tickets.domain.wanted import Wanted

TICKET_COLUMNS = [column for column in tickets.c if column.name not in {"description", "recipients"}]
"""What a decision may look at: not the text, which may be 256 KiB."""
TICKETS_PER_ID = 20
"""A Message-ID that many forged mails refer to leads to so many tickets at most, the newest."""

_SHARED_LOCKS = text(
    "select pg_advisory_xact_lock_shared(k) from "
    "(select hashtextextended('sender:' || n, 0) k from unnest(cast(:entries as text[])) n order by 1) s"
)
_KNOWN_IDS = text(
    """
    select k.id as key, m.ticket_id, m.scanner_id, m.origin, m.answer_id from unnest(cast(:ids as text[])) k(id)
    cross join lateral (select * from message_ids where message_id = k.id order by ticket_id desc limit :most) m
    """
)
_WITH_MERGED = text(
    """
    tickets.id = any(array(
        with recursive way(id, steps) as (
            select n, 0 from unnest(cast(:numbers as bigint[])) n
            union all
            select t.merged_into, steps + 1 from way join tickets t on t.id = way.id where t.merged_into is not null and steps < :most
        )
        select id from way
    ))
    """
)


def newest(column: str, also: str = "", order: str = "id desc") -> TextClause:
    """For each (scanner, key): the newest ticket with the key; where all that have it were merged, the newest of these.

    `also` is a further condition's SQL, `order` what newest means.
    """
    same = f"{column} = k.key and (scanner_id = k.scanner or scanner_id is null) {also}"
    return text(
        f"""
        select k.*, t.id from unnest(cast(:scanners as text[]), cast(:keys as text[]), cast(:places as bigint[])) k(scanner, key, place)
        cross join lateral (
            (select id, false as gone from tickets where {same} and merged_into is null and deleted_at is null order by {order} limit 1)
            union all
            (select id, true from tickets where {same} and merged_into is not null order by {order} limit 1)
            order by gone limit 1
        ) t
        """  # noqa: S608 -- our own names; values are parameters
    )


_TITLES: Final = newest("folded_title")
_CODES: Final = newest("folded_code")


async def load_desk(conn: AsyncConnection, commands: Sequence[TicketCommand]) -> Desk:
    """Locks the senders with their domains (shared: listing one waits for us, other mails of his do not) and the tickets found."""
    wanted = Wanted.by(commands)
    await hold_moves_off(conn)
    if wanted.entries:
        await conn.execute(_SHARED_LOCKS, {"entries": wanted.entries})
    desk = Desk(own=await own_addresses(conn))
    if wanted.acknowledges:
        desk.acknowledge_unchecked = await acknowledges_unchecked(conn)
    desk.mails = await load_mails(conn, wanted.mails)
    desk.spam, desk.records = await load_lists(conn, wanted)
    await _load_ids(conn, wanted, desk)
    desk.titles = await _load_newest(conn, _TITLES, wanted.titles)
    desk.codes = await _load_newest(conn, _CODES, wanted.codes)
    await _load_tickets(conn, wanted, desk)
    return desk


async def load_mails(conn: AsyncConnection, mail_ids: Sequence[str]) -> dict[str, MailState]:
    """The stored outcomes of these mails."""
    return {row.mail_id: mail_state(row) for row in await conn.execute(select(mails).where(mails.c.mail_id.in_(mail_ids)))}


async def own_addresses(conn: AsyncConnection) -> frozenset[str]:
    """Folded addresses of all mailboxes."""
    query = select(scanners.c.folded).where(scanners.c.folded != "", scanners.c.deleted.is_(False))
    return frozenset((await conn.execute(query)).scalars())


async def load_lists(conn: AsyncConnection, wanted: Wanted) -> tuple[frozenset[str], dict[str, dict[RecordType, str]]]:
    """Entries of the spam list that concern the senders, and records by address."""
    listed = select(spam_senders.c.folded).where(spam_senders.c.folded.in_(wanted.entries))
    spam = frozenset((await conn.execute(listed)).scalars()) if wanted.entries else frozenset()
    known: dict[str, dict[RecordType, str]] = {}
    if wanted.addresses:
        for row in await conn.execute(select(record_addresses).where(record_addresses.c.folded.in_(wanted.addresses))):
            known.setdefault(row.folded, {})[row.type] = row.contact_id
    return spam, known


async def _load_ids(conn: AsyncConnection, wanted: Wanted, desk: Desk) -> None:
    if not wanted.ids:
        return
    for row in await conn.execute(_KNOWN_IDS, {"ids": wanted.ids, "most": TICKETS_PER_ID}):
        desk.ids.setdefault(row.key, []).append(KnownId(row.ticket_id, row.scanner_id, row.origin, row.answer_id))


async def _load_newest(conn: AsyncConnection, query: TextClause, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    if not wanted:
        return {}
    scanners, keys = zip(*wanted, strict=True)
    values = {"scanners": list(scanners), "keys": list(keys), "places": []}
    return {(row.scanner, row.key): row.id for row in await conn.execute(query, values)}


def with_merged(numbers: Collection[int]) -> TextClause:
    """Condition for these tickets and those that have their messages now. Nothing is merged meanwhile: see `hold_moves_off`."""
    return _WITH_MERGED.bindparams(numbers=sorted(numbers), most=MAX_MERGES)


async def _load_tickets(conn: AsyncConnection, wanted: Wanted, desk: Desk) -> None:
    """Rows are locked in the order of their numbers; the lock leaves foreign keys free."""
    known = {one.ticket_id for found in desk.ids.values() for one in found}
    numbers = {*wanted.all_numbers(desk.own), *desk.titles.values(), *desk.codes.values(), *known}
    if not numbers:
        return
    query = select(*TICKET_COLUMNS).where(with_merged(numbers)).order_by(tickets.c.id).with_for_update(key_share=True)
    desk.tickets = {row.id: ticket_state(row) for row in await conn.execute(query)}
    people = select(participants).where(participants.c.ticket_id.in_(list(desk.tickets)), participants.c.address.in_(wanted.senders))
    for row in await conn.execute(people):
        desk.participants.setdefault(row.ticket_id, set()).add(row.address)


def ticket_state(row: Row[Any]) -> TicketState:
    """A row of `TICKET_COLUMNS` as the domain sees it."""
    return TicketState(
        id=row.id,
        scanner_id=row.scanner_id,
        title=row.title,
        status=row.status,
        priority=row.priority,
        category=row.category,
        assignee=row.assignee,
        tags=tuple(row.tags),
        deleted=row.deleted_at is not None,
        closed_at=row.closed_at,
        linked_ticket_id=row.linked_ticket_id,
        merged_into=row.merged_into,
        contact_id=row.contact_id,
        external_code=row.external_code,
        version=row.version,
        history_id=row.history_id,
    )


def mail_state(row: Row[Any]) -> MailState:
    return MailState(
        mail_id=row.mail_id,
        scanner_id=row.scanner_id,
        run=row.run,
        revision=row.revision,
        type=OutcomeType(row.type),
        at=row.at,
        ticket_id=row.ticket_id,
        rule_id=row.rule_id,
        rule_name=row.rule_name,
        reason=row.reason,
        kind=row.kind,
        prior_type=row.prior_type,
        sender=row.sender_folded,
        archive_key=row.archive_key,
        received_at=row.received_at,
        record_type=row.record_type,
        record_id=row.record_id,
        history_id=row.history_id,
    )
