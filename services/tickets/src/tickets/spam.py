"""Marking tickets as spam, and restoring them (design section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import TicketEventType
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.deliveries import unsent
from tickets.adapters.spam_store import SPAM_REASON, add_senders, lock_senders, lock_tickets, spam_mails, unspam_mails
from tickets.adapters.tables import tickets
from tickets.changing import Act, change
from tickets.domain.keys import MAX_BIGINT
from tickets.domain.spam import canonical, domain_of
from tickets.events import emit_cancel, emit_outcome
from tickets.jobs import Progress
from tickets.listing import refusals, shown

JOB_KIND = "spam"
AT_ONCE = 50
"""Tickets of one transaction: the senders' mails wait for its end."""
NUMBERS_TOLD, REASONS_TOLD = 20, 3
"""In a refusal's text; `ticket_ids` has all."""
Listing = Literal["address", "domain", "none"]


async def refuse_unfit(conn: AsyncConnection, ticket_ids: Sequence[int], listing: Listing) -> None:
    """Raise ProblemError before anything is done: 404 for unknown tickets, 409 for what is no spam or may not be listed."""
    found = await _senders(conn, ticket_ids)
    if missing := [number for number in ticket_ids if number not in found]:
        raise ProblemError(404, "No such ticket", f"There is no ticket {_listed(missing)}; nothing was done.", ticket_ids=missing)
    if merged := [number for number in ticket_ids if found[number].merged_into is not None]:
        into = _listed(sorted({found[number].merged_into for number in merged}))
        detail = f"Ticket {_listed(merged)} was merged into ticket {into}, which has its mails now: mark that. Nothing was done."
        raise ProblemError(409, "Merged into another", detail, ticket_ids=merged)
    if manual := [number for number in ticket_ids if found[number].source == "manual"]:
        detail = f"Ticket {_listed(manual)} was opened by hand: only tickets from mails can be spam. Nothing was done."
        raise ProblemError(409, "Not from a mail", detail, ticket_ids=manual)
    await _refuse_listing(conn, found, listing)


async def _refuse_listing(conn: AsyncConnection, found: Mapping[int, Row[Any]], listing: Listing) -> None:
    if listing == "domain" and (odd := [number for number, row in found.items() if row.sender_folded and not _entry(row, listing)]):
        detail = f"The sender of ticket {_listed(odd)} has no domain that can be listed; list the address instead. Nothing was done."
        raise ProblemError(409, "No domain", detail, ticket_ids=odd)
    entries = {number: entry for number, row in found.items() if (entry := _entry(row, listing))}
    refused = await refusals(conn, set(entries.values()))
    if refused:
        title = next(iter(refused.values()))[0]
        why = {entry: reason for entry, (one, reason) in refused.items() if one == title}
        concerned = [number for number, entry in entries.items() if entry in why]
        told = " ".join(list(why.values())[:REASONS_TOLD])
        detail = f"Ticket {_listed(concerned)}: {told} Leave it out, or mark it without listing anybody. Nothing was done."
        raise ProblemError(409, title, detail, ticket_ids=concerned)


async def _senders(conn: AsyncConnection, ticket_ids: Sequence[int]) -> dict[int, Row[Any]]:
    possible = [number for number in ticket_ids if 0 < number <= MAX_BIGINT]
    columns: list[Any] = [tickets.c.id, tickets.c.source, tickets.c.sender, tickets.c.sender_folded, tickets.c.merged_into]
    query = select(*columns).where(tickets.c.id.in_(possible)).order_by(tickets.c.id)
    return {row.id: row for row in await conn.execute(query)}


def _entry(ticket: Row[Any], listing: Listing) -> str | None:
    """What of a ticket's sender is listed; None for nothing, also where the sender has no address."""
    if listing == "none" or not ticket.sender_folded:
        return None
    return canonical(ticket.sender_folded) if listing == "address" else domain_of(ticket.sender_folded)


def _listed(numbers: Sequence[int]) -> str:
    told = ", ".join(str(number) for number in numbers[:NUMBERS_TOLD])
    more = len(numbers) - NUMBERS_TOLD
    return f"{told} and {more} more" if more > 0 else told


async def mark(unit: Unit, ticket_ids: Sequence[int], actor: str, listing: Listing) -> tuple[list[int], list[str]]:
    """Delete mail tickets as spam and list their senders; returns the tickets marked and the entries listed, new or not.

    One that is deleted or merged by now, or whose sender may not be listed any more, is left as it is.
    """
    senders = await _senders(unit.conn, ticket_ids)
    entries = {number: entry for number, row in senders.items() if (entry := _entry(row, listing))}
    await lock_senders(unit.conn, entries.values())
    refused = await refusals(unit.conn, set(entries.values()))
    rows = await lock_tickets(unit.conn, list(senders))
    marked = [row for row in rows if _markable(row) and entries.get(row.id) not in refused]
    at, numbers = unit.clock(), [row.id for row in marked]
    names = {entries[row.id]: shown(entries[row.id], row.sender) for row in marked if row.id in entries}
    await add_senders(unit.conn, names, actor, at)
    for row in marked:
        await change(unit, row, {"deleted_at": at, "deleted_reason": SPAM_REASON}, Act(actor, TicketEventType.SPAMMED))
    for mail in await spam_mails(unit.conn, numbers, at):
        emit_outcome(unit, mail, mail.ticket_id)
    for answer in await unsent(unit.conn, numbers):
        emit_cancel(unit, answer.message_id, answer.ticket_id)
    return numbers, sorted(names)


def _markable(ticket: Row[Any]) -> bool:
    return ticket.deleted_at is None and ticket.merged_into is None and ticket.source == "mail"


async def restore(unit: Unit, ticket: Row[Any], actor: str) -> None:
    """Take a deletion back; `ticket` is its locked row. The outcome of its mails is again what it was, with a higher revision."""
    await restore_all(unit, [ticket], actor)


async def restore_all(unit: Unit, rows: Sequence[Row[Any]], actor: str) -> None:
    """As `restore`, for several."""
    for row in rows:
        await change(unit, row, {"deleted_at": None, "deleted_reason": None}, Act(actor, TicketEventType.RESTORED))
    spam = [row.id for row in rows if row.deleted_reason == SPAM_REASON]
    for mail in await unspam_mails(unit.conn, spam, unit.clock()):
        emit_outcome(unit, mail, mail.ticket_id)


async def mark_next(unit: Unit, job: Row[Any]) -> Progress:
    """A step of `POST /tickets/spam`: its next tickets."""
    numbers: list[int] = job.input["ticket_ids"]
    result: dict[str, Any] = job.result or {"spammed": 0, "skipped": [], "addresses": []}
    bunch = numbers[job.done : job.done + AT_ONCE]
    marked, entries = await mark(unit, bunch, job.actor, job.input.get("listing", "address"))
    result["spammed"] += len(marked)
    result["skipped"] += [number for number in bunch if number not in marked]
    result["addresses"] = list(dict.fromkeys([*result["addresses"], *entries]))
    done = job.done + len(bunch)
    return Progress(done, result, "done" if done >= len(numbers) else "running")
