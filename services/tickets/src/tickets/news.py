"""What the notifier says became of an answer, recipient by recipient."""

from __future__ import annotations

from collections.abc import Sequence

from shared.events import DeliveryState, MailDelivery, TicketEventType
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from tickets.adapters.automatic import hold
from tickets.adapters.deliveries import record_delivery
from tickets.adapters.message_store import fill_acknowledgement, learn_alias
from tickets.adapters.moves import hold_moves_off
from tickets.adapters.reports import lock_answer_of, lock_states, lock_ticket_of, lock_tickets_of
from tickets.attention import act_of, follow, notices_of
from tickets.automatic import BY
from tickets.domain.deliveries import Moved
from tickets.erasure.refusing import names_erased
from tickets.events import emit_ticket_event

NOTIFIER = "notifier"


async def on_deliveries(unit: Unit, received: Sequence[Received[MailDelivery]]) -> None:
    """Take the locks of a batch in the order everybody takes them: tickets, then what is counted; answers and recipients follow."""
    await hold_moves_off(unit.conn)
    locked = await lock_tickets_of(unit.conn, {one.body.outgoing_id for one in received})
    if any(one.body.state is DeliveryState.FAILED for one in received):
        await hold(unit.conn, notices_of(locked))


async def on_delivery(unit: Unit, received: Received[MailDelivery]) -> None:
    """The state of one answer for one recipient; of two states the one with the higher sequence holds."""
    news = received.body
    if await names_erased(unit.conn, news):
        return
    if news.alias:
        await learn_alias(unit.conn, news.outgoing_id, news.alias)
    if news.text:
        await fill_acknowledgement(unit.conn, news.outgoing_id, news.text)
    ticket = await lock_ticket_of(unit.conn, news.outgoing_id)
    answer = await lock_answer_of(unit.conn, news.outgoing_id)
    if ticket is None or answer is None:
        return
    before = (await lock_states(unit.conn, answer.id)).get(news.recipient)
    if not await record_delivery(unit.conn, news):
        return
    if await follow(unit, ticket, answer, [Moved(news.recipient, before, news.state)], act_of(BY, answer.id)):
        return
    emit_ticket_event(
        unit,
        TicketEventType.DELIVERY,
        ticket.id,
        ticket.title,
        actor=NOTIFIER,
        at=news.at,
        of=(news.outgoing_id, news.recipient, news.sequence),
        message_id=news.outgoing_id,
        cause=received.envelope,
    )
