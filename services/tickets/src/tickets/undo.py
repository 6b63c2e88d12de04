"""Takes an answer back that has not left. Whether it was in time the notifier knows; what it says is shown on the message.

What left all the same flags the ticket (see `tickets.attention`): its text is a draft again, and sent once more it would come twice.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Row

from shared.events import TicketEventType
from shared.http import ProblemError, not_found
from shared.messaging.outbox import Unit
from tickets.adapters.deliveries import answers_of, left_for, lock_answer, mark_cancelled, waits
from tickets.adapters.drafts import give_back
from tickets.adapters.message_store import get_message
from tickets.adapters.reports import failures_of, flag, lock_ticket_of
from tickets.changing import Act, change
from tickets.domain.attention import attention
from tickets.domain.deliveries import WAITING, status_before
from tickets.events import emit_cancel

NO_ANSWER: Final = "This message is no answer of an operator, so there is nothing to take back."
GONE: Final = "The answer has left for all its recipients, so it cannot be taken back; write another one."
NAMED: Final = 3


async def take_back(unit: Unit, ticket_id: int, message_id: str, actor: str) -> Row[Any]:
    """Cancel the answer and make its text its author's draft again; returns the message's row. Doing it twice does it once.

    Raises ProblemError 404 without the message on this ticket; 409 where it is no operator's answer, has left for everybody, or was
    taken back before and left all the same.
    """
    await _known(unit, ticket_id, message_id)
    ticket = await lock_ticket_of(unit.conn, message_id)
    answer = await lock_answer(unit.conn, message_id)
    if ticket is None or answer is None or answer.draft is None:
        raise ProblemError(409, "Not an answer", NO_ANSWER)
    gone = await left_for(unit.conn, message_id)
    if answer.cancelled_at is not None and gone:
        raise ProblemError(409, "Too late", _too_late(gone))
    if answer.cancelled_at is None:
        if not await waits(unit.conn, message_id):
            raise ProblemError(409, "Sent already", GONE)
        await _cancel(unit, ticket, answer, gone, actor)
    return await _known(unit, ticket_id, message_id)


async def _cancel(unit: Unit, ticket: Row[Any], answer: Row[Any], gone: list[str], actor: str) -> None:
    """Where it has left for some already, the ticket goes on waiting for them, and says so."""
    before = None
    if ticket.status == WAITING and not gone:
        before = status_before(await answers_of(unit.conn, ticket.id), answer.message_id)
    await mark_cancelled(unit.conn, answer.message_id, unit.clock(), before)
    draft = {"quote": True, **answer.draft}
    draft.pop("status")
    await give_back(unit.conn, {**draft, "ticket_id": ticket.id, "cc": json.dumps(draft["cc"])})
    await flag(unit.conn, answer.message_id, gone)
    values = {"status": before or ticket.status, "attention": attention(await failures_of(unit.conn, ticket.id))}
    act = Act(actor, TicketEventType.UPDATED, message_id=answer.message_id, before={"answer": "sent"}, after={"answer": "taken back"})
    await change(unit, ticket, values, act)
    # Under the ticket's number of then: a cancel that overtakes its mail in another partition could be too late.
    emit_cancel(unit, answer.message_id, int(answer.body["ticket_id"]))


def _too_late(gone: list[str]) -> str:
    more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
    return (
        f"The answer was taken back too late: it had left already for {', '.join(gone[:NAMED])}{more}. Write another one to put it right."
    )


async def _known(unit: Unit, ticket_id: int, message_id: str) -> Row[Any]:
    row = await get_message(unit.conn, message_id.replace("\x00", ""))
    if row is None or ticket_id not in {row.ticket_id, row.first_ticket_id}:
        raise not_found(f"message of ticket {ticket_id}", message_id)
    return row
