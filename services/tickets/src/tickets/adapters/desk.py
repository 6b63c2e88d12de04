"""Loads the desk for a batch: a fixed number of queries, whatever the batch's length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import OutcomeType, TicketCommand
from tickets.adapters.moves import hold_moves_off
from tickets.adapters.tables import mails, participants, record_addresses, scanners, spam_senders, tickets
from tickets.domain.state import Desk, KnownId, MailState, TicketState
from tickets.domain.wanted import Wanted

TICKET_COLUMNS = [column for column in tickets.c if column.name not in {"description", "recipients"}]
"""What a decision may look at: not the text, which may be 256 KiB."""
TICKETS_PER_ID = 20
"""A Message-ID that many forged mails refer to leads to so many tickets at most, the newest."""

_SHARED_LOCKS = text(
    "select pg_advisory_xact_lock_shared(k) from "
    "(select hashtextextended('sender:' || n, 0) k from unnest(cast(:senders as text[])) n order by 1) s"
)
_KNOWN_IDS = text(
    """
    select k.id as key, m.ticket_id, m.scanner_id, m.origin from unnest(cast(:ids as text[])) k(id)
    cross join lateral (select * from message_ids where message_id = k.id order by ticket_id desc limit :most) m
    """
)
_TITLES = text(
    """
    select k.scanner, k.title, t.id from unnest(cast(:scanners as text[]), cast(:titles as text[])) k(scanner, title)
    cross join lateral (
        select id from tickets where folded_title = k.title and deleted_at is null and (scanner_id = k.scanner or scanner_id is null)
        order by id desc limit 1
    ) t
    """
)


async def load_desk(conn: AsyncConnection, commands: Sequence[TicketCommand]) -> Desk:
    """Locks the senders (shared: marking one as spam waits for us, other mails of his do not) and the tickets found."""
    wanted = Wanted.by(commands)
    await hold_moves_off(conn)
    if wanted.senders:
        await conn.execute(_SHARED_LOCKS, {"senders": wanted.senders})
    desk = Desk(own=await own_addresses(conn))
    desk.mails = await load_mails(conn, wanted.mails)
    desk.spam, desk.contacts = await load_lists(conn, wanted)
    await _load_ids(conn, wanted, desk)
    await _load_titles(conn, wanted, desk)
    await _load_tickets(conn, wanted, desk)
    return desk


async def load_mails(conn: AsyncConnection, mail_ids: Sequence[str]) -> dict[str, MailState]:
    """The stored outcomes of these mails."""
    return {row.mail_id: mail_state(row) for row in await conn.execute(select(mails).where(mails.c.mail_id.in_(mail_ids)))}


async def own_addresses(conn: AsyncConnection) -> frozenset[str]:
    """Folded addresses of all mailboxes."""
    query = select(scanners.c.folded).where(scanners.c.folded != "", scanners.c.deleted.is_(False))
    return frozenset((await conn.execute(query)).scalars())


async def load_lists(conn: AsyncConnection, wanted: Wanted) -> tuple[frozenset[str], dict[str, str]]:
    """Listed senders, and contacts by address."""
    if not wanted.addresses:
        return frozenset(), {}
    listed = select(spam_senders.c.folded).where(spam_senders.c.folded.in_(wanted.senders))
    known = select(record_addresses.c.folded, record_addresses.c.contact_id).where(record_addresses.c.folded.in_(wanted.addresses))
    spam = frozenset((await conn.execute(listed)).scalars())
    return spam, {row.folded: row.contact_id for row in await conn.execute(known)}


async def _load_ids(conn: AsyncConnection, wanted: Wanted, desk: Desk) -> None:
    if not wanted.ids:
        return
    for row in await conn.execute(_KNOWN_IDS, {"ids": wanted.ids, "most": TICKETS_PER_ID}):
        desk.ids.setdefault(row.key, []).append(KnownId(row.ticket_id, row.scanner_id, row.origin))


async def _load_titles(conn: AsyncConnection, wanted: Wanted, desk: Desk) -> None:
    if not wanted.titles:
        return
    values = {"scanners": [scanner for scanner, _ in wanted.titles], "titles": [title for _, title in wanted.titles]}
    desk.titles = {(row.scanner, row.title): row.id for row in await conn.execute(_TITLES, values)}


async def _load_tickets(conn: AsyncConnection, wanted: Wanted, desk: Desk) -> None:
    """Rows are locked in the order of their numbers; the lock leaves foreign keys free."""
    numbers = {*wanted.numbers, *desk.titles.values(), *(known.ticket_id for found in desk.ids.values() for known in found)}
    if not numbers:
        return
    query = select(*TICKET_COLUMNS).where(tickets.c.id.in_(sorted(numbers))).order_by(tickets.c.id).with_for_update(key_share=True)
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
        contact_id=row.contact_id,
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
