"""Mails that leave without a person: acknowledgements, and notices to assignees. They are messages of their tickets, by `system`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from shared.events import OutgoingMail, OutgoingMode, TicketEventType
from shared.mail.model import Address
from shared.mail.words import one_line
from shared.messaging.outbox import Unit
from shared.observability import AUTOMATIC_MAILS
from tickets.adapters.change_log import add_changes
from tickets.adapters.deliveries import queue_answer
from tickets.adapters.message_store import insert_message, learn_own_id
from tickets.adapters.search_queue import read_again
from tickets.adapters.tables import scanners
from tickets.domain.answer import new_message_id
from tickets.events import emit_send

BY = "system"
RANDOM_BYTES = 16


@dataclass(frozen=True)
class Automatic:
    """One such mail. `id` is a function of what it is about: the same is never sent twice."""

    id: str
    ticket_id: int
    scanner_id: str
    mode: OutgoingMode
    to: Address
    title: str
    text: str = ""
    """Blank for an acknowledgement: the notifier writes it."""
    in_reply_to: str | None = None
    references: list[str] = field(default_factory=list)


async def send_automatic(unit: Unit, what: Automatic) -> None:
    """Store it on its ticket and send it."""
    own = await unit.conn.scalar(select(scanners.c.address).where(scanners.c.scanner_id == what.scanner_id)) or ""
    to = Address(name=one_line(what.to.name), address=one_line(what.to.address))
    mail = OutgoingMail(
        outgoing_id=what.id,
        ticket_id=what.ticket_id,
        scanner_id=what.scanner_id,
        mode=what.mode,
        message_id=new_message_id(secrets.token_hex(RANDOM_BYTES), own),
        in_reply_to=what.in_reply_to,
        references=what.references,
        to=[to],
        title=one_line(what.title),
        text=what.text,
    )
    await insert_message(unit.conn, _message(unit, mail))
    await queue_answer(unit.conn, mail, unit.clock())
    await learn_own_id(unit.conn, mail, takes_part=what.mode is not OutgoingMode.NOTICE)
    await remember(unit, what, [])
    emit_send(unit, mail)
    AUTOMATIC_MAILS.labels(what.mode.value, "sent").inc()


async def remember(unit: Unit, what: Automatic, changes: list[dict[str, Any]]) -> None:
    """An entry of the ticket's history: that it was sent, or in `changes` why not."""
    kind = TicketEventType.UPDATED if changes else TicketEventType.COMMENTED
    row = {"ticket_id": what.ticket_id, "at": unit.clock(), "actor": BY, "type": kind.value, "changes": changes}
    await add_changes(unit.conn, [{**row, "message_id": None if changes else what.id}])
    await read_again(unit.conn, [what.ticket_id])


async def not_sent(unit: Unit, what: Automatic, reason: str, result: str) -> None:
    """The ticket's history says why there is none. `result`, for the metric: refused or limited."""
    await remember(unit, what, [{"field": what.mode.value, "before": None, "after": f"not sent: {reason}"}])
    AUTOMATIC_MAILS.labels(what.mode.value, result).inc()


def _message(unit: Unit, mail: OutgoingMail) -> dict[str, Any]:
    at = unit.clock()
    return {
        "id": mail.outgoing_id,
        "ticket_id": mail.ticket_id,
        "kind": "reply",
        "direction": "out",
        "sender": BY,
        "author": BY,
        "mode": mail.mode.value,
        "text": mail.text,
        "recipients": [address.model_dump() for address in mail.to],
        "message_id": mail.message_id,
        "in_reply_to": [mail.in_reply_to] if mail.in_reply_to else [],
        "references": mail.references,
        "received_at": at,
        "order_id": mail.outgoing_id,
        "created_at": at,
    }
