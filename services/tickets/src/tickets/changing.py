"""The one way a person's act changes a ticket: its row, its history, the search, and the event, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import TicketEventType
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.change_log import add_changes
from tickets.adapters.move_store import where_it_went
from tickets.adapters.search_queue import read_again
from tickets.adapters.ticket_store import change_ticket
from tickets.domain.changes import differences
from tickets.events import emit_ticket_event


@dataclass(frozen=True)
class Act:
    """What somebody did to a ticket."""

    actor: str
    type: TicketEventType = TicketEventType.UPDATED
    message_id: str | None = None
    mail_id: str | None = None
    other_ticket_id: int | None = None
    before: Mapping[str, Any] | None = None
    """Values that no column of the ticket has, such as its watchers; `after` has their new ones."""
    after: Mapping[str, Any] | None = None


async def refuse_gone(conn: AsyncConnection, ticket: Row[Any]) -> None:
    """Raise ProblemError 409 where the ticket is deleted, or merged: then `merged_into` names the one that has its messages now."""
    if ticket.deleted_at is not None:
        raise ProblemError(409, "Ticket deleted", f"Ticket {ticket.id} is deleted; restore it first.")
    await refuse_merged(conn, ticket)


async def refuse_merged(conn: AsyncConnection, ticket: Row[Any]) -> None:
    """As `refuse_gone`, where a deleted one may pass."""
    if ticket.merged_into is not None:
        target = await where_it_went(conn, ticket.merged_into)
        detail = f"Ticket {ticket.id} was merged into ticket {target}, which has its messages now; go on there."
        raise ProblemError(409, "Ticket merged", detail, merged_into=target)


async def change(unit: Unit, ticket: Row[Any], values: Mapping[str, Any], act: Act) -> int:
    """Set the columns of the locked row; returns the ticket's new version.

    An entry of the history is written, the search reads the ticket anew, and one event of `act.type` is emitted.
    """
    version = await change_ticket(unit.conn, ticket.id, values)
    columns = ticket._mapping  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns
    told = differences({**columns, **(act.before or {})}, {**values, **(act.after or {})})
    await _remember(unit, ticket.id, act, told)
    title = str(values.get("title", ticket.title))
    emit_ticket_event(
        unit,
        act.type,
        ticket.id,
        title,
        actor=act.actor,
        at=unit.clock(),
        of=(version,),
        message_id=act.message_id,
        mail_id=act.mail_id,
    )
    return version


async def opened(unit: Unit, ticket_id: int, title: str, act: Act) -> None:
    """A ticket was made by hand, or of another's message."""
    await _remember(unit, ticket_id, act, [])
    emit_ticket_event(unit, act.type, ticket_id, title, actor=act.actor, at=unit.clock(), of=(1,), message_id=act.message_id)


async def _remember(unit: Unit, ticket_id: int, act: Act, told: list[dict[str, Any]]) -> None:
    row = {
        "ticket_id": ticket_id,
        "at": unit.clock(),
        "actor": act.actor,
        "type": act.type.value,
        "changes": told,
        "mail_id": act.mail_id,
        "message_id": act.message_id,
        "other_ticket_id": act.other_ticket_id,
    }
    await add_changes(unit.conn, [row])
    await read_again(unit.conn, [ticket_id])
