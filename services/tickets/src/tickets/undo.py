"""Takes an answer back that has not left. Whether it was in time the notifier knows; what it says is shown on the message."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Row

from shared.events import TicketEventType
from shared.http import ProblemError, not_found
from shared.messaging.outbox import Unit
from tickets.adapters.deliveries import lock_answer, mark_cancelled, waits
from tickets.adapters.drafts import give_back
from tickets.adapters.message_store import get_message
from tickets.adapters.reports import lock_ticket_of
from tickets.changing import Act, change
from tickets.events import emit_cancel

NO_ANSWER: Final = "This message is no answer of an operator, so there is nothing to take back."
GONE: Final = "The answer has left for all its recipients, so it cannot be taken back; write another one."


async def take_back(unit: Unit, ticket_id: int, message_id: str, actor: str) -> Row[Any]:
    """Cancel the answer and make its text its author's draft again; returns the message's row. Doing it twice does it once.

    Raises ProblemError 404 without the message on this ticket, 409 where it is no operator's answer, or has left for everybody.
    """
    await _known(unit, ticket_id, message_id)
    ticket = await lock_ticket_of(unit.conn, message_id)
    answer = await lock_answer(unit.conn, message_id)
    if ticket is None or answer is None or answer.draft is None:
        raise ProblemError(409, "Not an answer", NO_ANSWER)
    if answer.cancelled_at is None:
        if not await waits(unit.conn, message_id):
            raise ProblemError(409, "Sent already", GONE)
        await _cancel(unit, ticket, answer, actor)
    return await _known(unit, ticket_id, message_id)


async def _cancel(unit: Unit, ticket: Row[Any], answer: Row[Any], actor: str) -> None:
    await mark_cancelled(unit.conn, answer.message_id, unit.clock())
    draft = dict(answer.draft)
    before = draft.pop("status")
    await give_back(unit.conn, {**draft, "ticket_id": ticket.id, "cc": json.dumps(draft["cc"])})
    status = before if ticket.status == "waiting" else ticket.status
    act = Act(actor, TicketEventType.UPDATED, message_id=answer.message_id, before={"answer": "sent"}, after={"answer": "taken back"})
    await change(unit, ticket, {"status": status}, act)
    # Under the ticket's number of then: a cancel that overtakes its mail in another partition could be too late.
    emit_cancel(unit, answer.message_id, int(answer.body["ticket_id"]))


async def _known(unit: Unit, ticket_id: int, message_id: str) -> Row[Any]:
    row = await get_message(unit.conn, message_id.replace("\x00", ""))
    if row is None or ticket_id not in {row.ticket_id, row.first_ticket_id}:
        raise not_found(f"message of ticket {ticket_id}", message_id)
    return row
