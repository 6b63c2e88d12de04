"""A machine's mail is put on the message of ours it is about (see `tickets.domain.coming_back` for what is believed of it)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from shared.events import TicketCommand, TicketEventType
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Unit
from tickets.adapters import reports
from tickets.adapters.deliveries import settle
from tickets.attention import act_of, follow
from tickets.domain.coming_back import reported
from tickets.domain.deliveries import Moved
from tickets.domain.state import BY_MAIL
from tickets.events import emit_ticket_event


async def note(unit: Unit, command: TicketCommand, answer_id: str, cause: Envelope | None) -> None:
    """Store what the mail says of each recipient, and what follows from it. The same mail a second time changes nothing."""
    ticket = await reports.lock_ticket_of(unit.conn, answer_id)
    answer = await reports.lock_answer_of(unit.conn, answer_id)
    if ticket is None or answer is None:
        return
    states = await reports.lock_states(unit.conn, answer_id)
    found = reported(command, states)
    new = await reports.add_reports(unit.conn, answer_id, command.mail_id, command.received_at, found)
    if not new:
        return
    changed = [one for one in new if one.state is not None]
    await reports.put_states(unit.conn, answer_id, unit.clock(), changed)
    await settle(unit.conn, answer_id)
    moves = [Moved(one.recipient, states.get(one.recipient), one.state) for one in new if one.state is not None]
    act, somebody_lost = act_of(BY_MAIL, answer_id, command.mail_id), any(one.somebody_lost for one in new)
    if not await follow(unit, ticket, answer, moves, act, somebody_lost=somebody_lost):
        _tell(unit, ticket, answer_id, command.mail_id, cause)


def _tell(unit: Unit, ticket: Row[Any], answer_id: str, mail_id: str, cause: Envelope | None) -> None:
    """Pages that show the ticket look again."""
    emit_ticket_event(
        unit,
        TicketEventType.DELIVERY,
        ticket.id,
        ticket.title,
        actor=BY_MAIL,
        at=unit.clock(),
        of=(answer_id, mail_id),
        message_id=answer_id,
        mail_id=mail_id,
        cause=cause,
    )
