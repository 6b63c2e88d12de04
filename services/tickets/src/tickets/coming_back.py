"""A machine's mail is put on the message of ours it is about (see `tickets.domain.coming_back` for what is believed of it)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row

from shared.events import DeliveryState, TicketCommand, TicketEventType
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Unit
from tickets.adapters import reports
from tickets.adapters.deliveries import settle
from tickets.attention import act_of, arrived, failed
from tickets.domain.coming_back import Reported, reported
from tickets.domain.state import BY_MAIL
from tickets.events import emit_ticket_event

GOT = frozenset({DeliveryState.DELIVERED, DeliveryState.READ})


async def note(unit: Unit, command: TicketCommand, answer_id: str, cause: Envelope | None) -> None:
    """Store what the mail says of each recipient, and what follows from it. The same mail a second time changes nothing."""
    ticket = await reports.lock_ticket_of(unit.conn, answer_id)
    answer = await reports.answer_of(unit.conn, answer_id)
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
    if not await _looked_at(unit, ticket, answer, changed, command.mail_id):
        _tell(unit, ticket, answer_id, command.mail_id, cause)


async def _looked_at(unit: Unit, ticket: Row[Any], answer: Row[Any], changed: Collection[Reported], mail_id: str) -> bool:
    """Whether the ticket's flag changed, which was told then."""
    act = act_of(BY_MAIL, answer.id, mail_id)
    lost = [one.recipient for one in changed if one.state is DeliveryState.BOUNCED]
    if lost:
        return await failed(unit, ticket, answer, lost, act)
    got = [one.recipient for one in changed if one.state in GOT]
    return bool(got) and ticket.attention is not None and await arrived(unit, ticket, answer, got, act)


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
