"""What operators write on a ticket: an answer by mail, an internal note, or a remark on a manual ticket, which mails nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from shared.events import OutgoingMail, OutgoingMode, TicketEventType
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.deliveries import queue_answer
from tickets.adapters.desk_settings import undo_seconds
from tickets.adapters.drafts import delete_draft
from tickets.adapters.message_store import get_message, insert_message, last_mail, learn_own_id
from tickets.adapters.ticket_store import lock_ticket
from tickets.answer_files import chosen_files, put_on_message
from tickets.changing import Act, change, refuse_gone
from tickets.domain.files import Policy
from tickets.events import emit_send
from tickets.replies import Written, make_mail


async def write(unit: Unit, written: Written, policy: Policy) -> Row[Any]:
    """Store it and, where it is an answer, send it; returns its row. Doing it twice does it once.

    Raises ProblemError 404 without the ticket; 409 where it is deleted or merged, nobody can be answered, or a personal answer has no
    address to leave from; 422 for files or copies that cannot be.
    """
    ticket = await lock_ticket(unit.conn, written.ticket_id)
    known = await get_message(unit.conn, written.message_id)
    if known is None:
        await refuse_gone(unit.conn, ticket)
        await _store(unit, written, ticket, policy)
        known = await get_message(unit.conn, written.message_id)
    if known is None or written.ticket_id not in {known.ticket_id, known.first_ticket_id}:
        raise ProblemError(409, "Idempotency-Key used before", "This key belongs to a message on another ticket; use a new one.")
    return known


async def _store(unit: Unit, written: Written, ticket: Row[Any], policy: Policy) -> None:
    actor, at = written.person.actor, unit.clock()
    files = await chosen_files(unit.conn, ticket.id, actor, written.attachments, policy)
    mail = await make_mail(unit.conn, written, ticket, files, policy) if await _is_answer(unit, written, ticket) else None
    wait = timedelta(seconds=await undo_seconds(unit.conn)) if mail else timedelta()
    if mail and wait:
        mail = mail.model_copy(update={"not_before": at + wait})
    values = {
        "id": written.message_id,
        "ticket_id": ticket.id,
        "kind": written.kind,
        "direction": "out",
        "sender": actor,
        "text": written.body,
        "received_at": at,
        "order_id": written.message_id,
        "author": actor,
        "created_at": at,
    }
    await insert_message(unit.conn, values | (_sent(mail) if mail else {}))
    await put_on_message(unit.conn, ticket.id, written.message_id, files)
    # An answer that is begun stays while a note is written.
    await delete_draft(unit.conn, ticket.id, actor, mode="note" if written.kind == "note" else None)
    status = "waiting" if mail and ticket.status != "closed" else ticket.status
    await change(unit, ticket, {"status": status}, _act(written, mail))
    if mail:
        await _send(unit, mail, _draft(written, ticket))


def _act(written: Written, mail: OutgoingMail | None) -> Act:
    """A personal answer is noted as gone: what comes back about it goes to its author, not here."""
    left = mail.author.address if mail and mail.author and mail.mode is OutgoingMode.PERSONAL else None
    noted = {"personal": left} if left else None
    return Act(written.person.actor, TicketEventType.COMMENTED, message_id=written.message_id, after=noted)


async def _send(unit: Unit, mail: OutgoingMail, draft: dict[str, Any]) -> None:
    await queue_answer(unit.conn, mail, unit.clock(), draft)
    if mail.mode is not OutgoingMode.PERSONAL:
        await learn_own_id(unit.conn, mail)
    emit_send(unit, mail)


def _draft(written: Written, ticket: Row[Any]) -> dict[str, Any]:
    """What comes back when it is taken back: the operator's draft, and the status the ticket had."""
    mode = "personal" if written.mode is OutgoingMode.PERSONAL else "info"
    return {
        "actor": written.person.actor,
        "body": written.body,
        "mode": mode,
        "cc": written.cc,
        "attachments": list(written.attachments),
        "quote": written.quote,
        "status": ticket.status,
    }


async def _is_answer(unit: Unit, written: Written, ticket: Row[Any]) -> bool:
    """A comment on a mail's ticket is; one on a manual ticket is only where mails were merged into it."""
    if written.kind == "note":
        return False
    return written.kind == "reply" or ticket.source == "mail" or await last_mail(unit.conn, ticket.id) is not None


def _sent(mail: OutgoingMail) -> dict[str, Any]:
    return {
        "mode": mail.mode.value,
        "undo_until": mail.not_before,
        "recipients": [address.model_dump() for address in mail.to],
        "cc": [address.model_dump() for address in mail.cc],
        "message_id": mail.message_id,
        "in_reply_to": [mail.in_reply_to] if mail.in_reply_to else [],
        "references": mail.references,
    }
