"""Two tickets become one: the messages of the first go to the second, and later answers follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from shared.events import TicketEventType, derived_id
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.message_store import count_messages, insert_message
from tickets.adapters.move_store import move_all, redirect_mails, where_it_went
from tickets.adapters.moves import begin_move
from tickets.adapters.reports import failures_of
from tickets.adapters.ticket_store import get_ticket, lock_tickets
from tickets.adapters.watchers import watchers_of
from tickets.changing import Act, change, refuse_gone
from tickets.domain.attention import attention
from tickets.events import emit_outcome

MAX_MESSAGES = 5_000
"""Of a ticket that is merged: they move in one transaction, while mails wait."""
OF_A_MAIL = ("scanner_id", "sender", "sender_folded", "recipients")
"""What a manual ticket takes over from a mail's, so that answers leave from the mailbox the mail came to."""


async def merge(unit: Unit, ticket_id: int, into: int, actor: str) -> None:
    """Move all into the other ticket, and close the first. Doing it twice does it once.

    Raises ProblemError 404 without one of them; 409 where they are the same, one is deleted or merged already, or there is too much.
    """
    await begin_move(unit.conn)
    source, target = await _locked(unit, ticket_id, into)
    if source.merged_into != into:
        await _join(unit, source, target, {}, actor)


async def accept(unit: Unit, ticket_id: int, actor: str) -> int:
    """Merge a ticket into the one it points at, or into where that went; returns its number. Doing it twice does it once.

    As when a mail is appended, the other ticket is open again. Raises ProblemError 409 where the ticket points at none, and as `merge`.
    """
    await begin_move(unit.conn)
    ticket = await get_ticket(unit.conn, ticket_id)
    if ticket.linked_ticket_id is None:
        raise ProblemError(
            409, "Points at no ticket", f"Ticket {ticket_id} points at no other ticket; merge it into the one it belongs to."
        )
    into = await where_it_went(unit.conn, ticket.linked_ticket_id)
    if ticket.merged_into is None or await where_it_went(unit.conn, ticket_id) != into:
        source, target = await _locked(unit, ticket_id, into)
        status = "in_progress" if target.status == "in_progress" else "open"
        await _join(unit, source, target, {"status": status, "closed_at": None}, actor)
    return into


async def _locked(unit: Unit, ticket_id: int, into: int) -> tuple[Row[Any], Row[Any]]:
    if ticket_id == into:
        raise ProblemError(409, "The same ticket", f"Ticket {ticket_id} can't be merged into itself; name another one.")
    rows = await lock_tickets(unit.conn, [ticket_id, into])
    return rows[ticket_id], rows[into]


async def _join(unit: Unit, source: Row[Any], target: Row[Any], values: Mapping[str, Any], actor: str) -> None:
    for ticket in (source, target):
        await refuse_gone(unit.conn, ticket)
    if (count := await count_messages(unit.conn, source.id)) > MAX_MESSAGES:
        detail = f"Ticket {source.id} has {count:,} messages; at most {MAX_MESSAGES:,} can be moved. Merge the other way round."
        raise ProblemError(409, "Too many messages", detail)
    at, before = unit.clock(), await _watchers(unit, target.id)
    await _keep_description(unit, source, actor)
    await move_all(unit.conn, source.id, target.id)
    reason = f"ticket {source.id}, which it was on, was merged into ticket {target.id}"
    for mail in await redirect_mails(unit.conn, source.id, target.id, reason, at):
        emit_outcome(unit, mail, target.id)
    closed = {"status": "closed", "closed_at": source.closed_at or at, "merged_into": target.id, "attention": None}
    await change(unit, source, closed, Act(actor, TicketEventType.MERGED, other_ticket_id=target.id))
    after = await _watchers(unit, target.id)
    act = Act(actor, TicketEventType.MERGED, other_ticket_id=source.id, before=before, after=after)
    left = {"attention": attention(await failures_of(unit.conn, target.id))}
    await change(unit, target, {**_taken_over(source, target), **values, **left}, act)


async def _watchers(unit: Unit, ticket_id: int) -> dict[str, list[str]]:
    found = (await watchers_of(unit.conn, [ticket_id])).get(ticket_id, [])
    return {"watchers": [address.address for address in found]}


async def _keep_description(unit: Unit, source: Row[Any], actor: str) -> None:
    """A manual ticket says in its description what no message of it says: it goes along as a note."""
    if source.source != "manual" or not source.description.strip():
        return
    note_id = derived_id(source.id, "description")
    values = {
        "id": note_id,
        "ticket_id": source.id,
        "kind": "note",
        "direction": "out",
        "sender": actor,
        "text": f"{source.title}\n\n{source.description}",
        "received_at": source.created_at,
        "order_id": note_id,
        "author": actor,
        "created_at": unit.clock(),
    }
    await insert_message(unit.conn, values)


def _taken_over(source: Row[Any], target: Row[Any]) -> dict[str, Any]:
    columns = source._mapping  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns
    taken = {} if target.scanner_id or not source.scanner_id else {name: columns[name] for name in OF_A_MAIL}
    return taken if target.contact_id or not source.contact_id else {**taken, "contact_id": source.contact_id}
