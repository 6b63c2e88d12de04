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
from tickets.adapters.message_store import get_message, insert_message, last_mail, learn_own_id
from tickets.adapters.tables import scanners
from tickets.adapters.ticket_store import change_ticket, lock_ticket
from tickets.domain.answer import Answered, compose, new_message_id
from tickets.events import emit_send, emit_ticket_event

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

    Raises ProblemError 404 without the ticket, 409 where it is deleted or nobody can be answered.
    """
    ticket = await lock_ticket(unit.conn, written.ticket_id)
    known = await get_message(unit.conn, written.message_id)
    if known is None:
        _refuse_deleted(ticket)
        await _store(unit, written, ticket)
        known = await get_message(unit.conn, written.message_id)
    if known is None or known.ticket_id != written.ticket_id:
        raise ProblemError(409, "Idempotency-Key used before", "This key belongs to a comment on another ticket; use a new one.")
    return known


def _refuse_deleted(ticket: Row[Any]) -> None:
    if ticket.deleted_at is not None:
        raise ProblemError(409, "Ticket deleted", f"Ticket {ticket.id} is deleted; restore it first.")


async def _store(unit: Unit, written: Written, ticket: Row[Any]) -> None:
    answers = ticket.source == "mail" and not written.comment.internal
    mail = await _answer(unit, written, ticket) if answers else None
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
    await change_ticket(unit.conn, ticket.id, {"status": status})
    if mail:
        await queue_answer(unit.conn, mail, at)
        await learn_own_id(unit.conn, ticket.id, ticket.scanner_id, mail.message_id, [address.address for address in [*mail.to, *mail.cc]])
        emit_send(unit, mail)
    _tell(unit, written, ticket)


async def _answer(unit: Unit, written: Written, ticket: Row[Any]) -> OutgoingMail:
    last = await last_mail(unit.conn, ticket.id)
    own = await unit.conn.scalar(select(scanners.c.address).where(scanners.c.scanner_id == ticket.scanner_id)) or ""
    answered = Answered(ticket.id, ticket.title, ticket.sender or "", ticket.scanner_id, own)
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


def _tell(unit: Unit, written: Written, ticket: Row[Any]) -> None:
    emit_ticket_event(
        unit,
        TicketEventType.COMMENTED,
        ticket.id,
        ticket.title,
        actor=written.actor,
        at=unit.clock(),
        of=(written.message_id,),
        message_id=written.message_id,
    )
