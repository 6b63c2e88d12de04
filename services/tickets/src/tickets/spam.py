"""Marking tickets as spam and taking it back (design section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import TicketEventType
from shared.http import ProblemError, not_found
from shared.messaging.outbox import Outbox, Unit
from tickets.adapters.deliveries import unsent
from tickets.adapters.desk import own_addresses
from tickets.adapters.spam_store import (
    SPAM_REASON,
    add_sender,
    get_sender,
    lock_senders,
    remove_sender,
    removed_tickets,
    spam_mails,
    unspam_mails,
)
from tickets.adapters.tables import tickets
from tickets.adapters.ticket_store import change_ticket, lock_ticket
from tickets.domain.keys import MAX_BIGINT, address_key
from tickets.events import emit_cancel, emit_outcome, emit_ticket_event
from tickets.jobs import Progress

JOB_KIND = "spam"
RESTORED_AT_ONCE = 200


async def refuse_unfit(conn: AsyncConnection, ticket_ids: Sequence[int]) -> None:
    """Raise ProblemError before anything is done: 404 for unknown tickets, 409 for manual ones and for mailboxes of ours."""
    possible = [number for number in ticket_ids if 0 < number <= MAX_BIGINT]
    query = select(tickets.c.id, tickets.c.source, tickets.c.sender_folded).where(tickets.c.id.in_(possible))
    found = {row.id: row for row in await conn.execute(query)}
    if missing := [number for number in ticket_ids if number not in found]:
        raise ProblemError(404, "No such ticket", f"There is no ticket {_listed(missing)}; nothing was done.", ticket_ids=missing)
    if manual := [number for number in ticket_ids if found[number].source == "manual"]:
        detail = f"Ticket {_listed(manual)} was opened by hand: only tickets from mails can be spam. Nothing was done."
        raise ProblemError(409, "Not from a mail", detail, ticket_ids=manual)
    own = await own_addresses(conn)
    if ours := [number for number in ticket_ids if found[number].sender_folded in own]:
        detail = f"Ticket {_listed(ours)} came from a mailbox of your own, which can't be put on the spam list. Nothing was done."
        raise ProblemError(409, "A mailbox of your own", detail, ticket_ids=ours)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)


async def mark(unit: Unit, ticket_id: int, actor: str) -> str | None:
    """Delete one mail ticket as spam and list its sender; returns the address listed. A deleted ticket is left as it is."""
    sender = (await unit.conn.execute(select(tickets.c.sender, tickets.c.sender_folded).where(tickets.c.id == ticket_id))).one()
    key = sender.sender_folded or ""
    await lock_senders(unit.conn, [key])
    ticket = await lock_ticket(unit.conn, ticket_id)
    if ticket.deleted_at is not None or key in await own_addresses(unit.conn):
        return None
    at = unit.clock()
    if key:
        await add_sender(unit.conn, sender.sender, key, actor, at)
    version = await change_ticket(unit.conn, ticket_id, {"deleted_at": at, "deleted_reason": SPAM_REASON})
    for mail in await spam_mails(unit.conn, ticket_id, at):
        emit_outcome(unit, mail, ticket_id)
    for message_id in await unsent(unit.conn, ticket_id):
        emit_cancel(unit, message_id, ticket_id)
    emit_ticket_event(unit, TicketEventType.SPAMMED, ticket_id, ticket.title, actor=actor, at=at, of=(version,))
    return key or None


async def restore(unit: Unit, ticket: Row[Any], actor: str) -> None:
    """Take a deletion back; `ticket` is its locked row. The outcome of its mails is again what it was, with a higher revision."""
    at = unit.clock()
    version = await change_ticket(unit.conn, ticket.id, {"deleted_at": None, "deleted_reason": None})
    if ticket.deleted_reason == SPAM_REASON:
        for mail in await unspam_mails(unit.conn, ticket.id, at):
            emit_outcome(unit, mail, ticket.id)
    emit_ticket_event(unit, TicketEventType.RESTORED, ticket.id, ticket.title, actor=actor, at=at, of=(version,))


async def add_entry(unit: Unit, address: str, actor: str) -> tuple[Row[Any], bool]:
    """List an address; returns the entry and whether it is new. Raises ProblemError 409 for a mailbox of ours."""
    key = address_key(address)
    if key in await own_addresses(unit.conn):
        detail = f"{address} is the address of a mailbox of yours; its own mails would be stopped."
        raise ProblemError(409, "A mailbox of your own", detail)
    await lock_senders(unit.conn, [key])
    return await add_sender(unit.conn, address, key, actor, unit.clock())


async def remove_entry(outbox: Outbox, sender_id: str, actor: str, *, restoring: bool) -> int:
    """Take an entry off the list; returns how many tickets came back. Bounded transactions; repeat it if it was interrupted."""
    restored = 0
    while True:
        async with outbox.transaction() as unit:
            entry = await get_sender(unit.conn, sender_id)
            if entry is None:
                raise not_found("entry of the spam list", sender_id)
            await lock_senders(unit.conn, [entry.folded])
            rows = await removed_tickets(unit.conn, entry.folded, RESTORED_AT_ONCE) if restoring else []
            for ticket in rows:
                await restore(unit, ticket, actor)
            restored += len(rows)
            if len(rows) < RESTORED_AT_ONCE:
                await remove_sender(unit.conn, sender_id)
                return restored


async def mark_next(unit: Unit, job: Row[Any]) -> Progress:
    """A step of `POST /tickets/spam`: its next ticket."""
    numbers: list[int] = job.input["ticket_ids"]
    result: dict[str, Any] = job.result or {"spammed": 0, "skipped": [], "addresses": []}
    if job.done < len(numbers):
        await _mark_one(unit, numbers[job.done], job.actor, result)
    done = min(job.done + 1, len(numbers))
    return Progress(done, result, "done" if done >= len(numbers) else "running")


async def _mark_one(unit: Unit, ticket_id: int, actor: str, result: dict[str, Any]) -> None:
    before = await unit.conn.scalar(select(tickets.c.deleted_at).where(tickets.c.id == ticket_id))
    address = await mark(unit, ticket_id, actor)
    if before is not None:
        result["skipped"].append(ticket_id)
        return
    result["spammed"] += 1
    if address and address not in result["addresses"]:
        result["addresses"].append(address)
