"""A comment on a ticket: an answer by mail, an internal note, or a remark on a manual ticket, which mails nobody."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from shared.api import CommentIn
from shared.events import OutgoingMail, TicketEventType
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.deliveries import queue_answer
from tickets.adapters.desk import own_addresses
from tickets.adapters.message_store import get_message, insert_message, last_mail, learn_own_id
from tickets.adapters.tables import scanners
from tickets.adapters.ticket_store import lock_ticket
from tickets.adapters.watchers import removed_watchers, watchers_of
from tickets.changing import Act, change, refuse_gone
from tickets.domain.answer import Answered, LastMail, compose, new_message_id
from tickets.events import emit_send

RANDOM_BYTES = 16


@dataclass(frozen=True)
class Written:
    """A comment to be stored under this id."""

    message_id: str
    ticket_id: int
    comment: CommentIn
    actor: str


async def add_comment(unit: Unit, written: Written) -> Row[Any]:
    """Store the comment and, where it is an answer, send it; returns its row. Doing it twice does it once.

    Raises ProblemError 404 without the ticket, 409 where it is deleted or merged, or nobody can be answered.
    """
    ticket = await lock_ticket(unit.conn, written.ticket_id)
    known = await get_message(unit.conn, written.message_id)
    if known is None:
        await refuse_gone(unit.conn, ticket)
        await _store(unit, written, ticket)
        known = await get_message(unit.conn, written.message_id)
    if known is None or written.ticket_id not in {known.ticket_id, known.first_ticket_id}:
        raise ProblemError(409, "Idempotency-Key used before", "This key belongs to a comment on another ticket; use a new one.")
    return known


async def _store(unit: Unit, written: Written, ticket: Row[Any]) -> None:
    last = None if written.comment.internal else await last_mail(unit.conn, ticket.id)
    mail = await _answer(unit, written, ticket, last) if last or _is_answer(written, ticket) else None
    at = unit.clock()
    values = {
        "id": written.message_id,
        "ticket_id": ticket.id,
        "kind": "note" if written.comment.internal else "comment",
        "direction": "out",
        "sender": written.actor,
        "text": _text(written.comment),
        "received_at": at,
        "order_id": written.message_id,
        "author": written.actor,
        "created_at": at,
    }
    await insert_message(unit.conn, values | (_sent(mail) if mail else {}))
    status = "waiting" if mail and ticket.status != "closed" else ticket.status
    await change(unit, ticket, {"status": status}, Act(written.actor, TicketEventType.COMMENTED, message_id=written.message_id))
    if mail:
        await queue_answer(unit.conn, mail, at)
        await learn_own_id(unit.conn, ticket.id, ticket.scanner_id, mail.message_id, [address.address for address in [*mail.to, *mail.cc]])
        emit_send(unit, mail)


def _is_answer(written: Written, ticket: Row[Any]) -> bool:
    """A comment on a mail's ticket is; one on a manual ticket is only where mails were merged into it."""
    return ticket.source == "mail" and not written.comment.internal


async def _answer(unit: Unit, written: Written, ticket: Row[Any], last: LastMail | None) -> OutgoingMail:
    own = await unit.conn.scalar(select(scanners.c.address).where(scanners.c.scanner_id == ticket.scanner_id)) or ""
    answered = Answered(
        ticket_id=ticket.id,
        title=ticket.title,
        sender=ticket.sender or "",
        scanner_id=ticket.scanner_id,
        own_address=own,
        own=await own_addresses(unit.conn),
        watchers=(await watchers_of(unit.conn, [ticket.id])).get(ticket.id, []),
        removed=await removed_watchers(unit.conn, ticket.id),
    )
    message_id = new_message_id(secrets.token_hex(RANDOM_BYTES), own)
    mail = compose(written.message_id, message_id, _text(written.comment), answered, last) if last else None
    if mail is None or not mail.to:
        raise ProblemError(
            409, "Nobody to answer", "The mail of this ticket names no address to answer to; write an internal note instead."
        )
    return mail


def _sent(mail: OutgoingMail) -> dict[str, Any]:
    return {
        "recipients": [address.model_dump() for address in mail.to],
        "cc": [address.model_dump() for address in mail.cc],
        "message_id": mail.message_id,
        "in_reply_to": [mail.in_reply_to] if mail.in_reply_to else [],
        "references": mail.references,
    }


def _text(comment: CommentIn) -> str:
    return comment.body.replace("\x00", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")
