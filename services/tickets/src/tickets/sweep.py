"""The sweep over answers: one without any news for too long is told to the notifier again, and at last called failed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from shared.events import DeliveryState, OutgoingMail, TicketEventType
from shared.messaging.outbox import Outbox, Unit
from shared.observability import RETRIES, get_logger
from tickets.adapters.deliveries import give_up, lock_answer, overdue, resent
from tickets.adapters.moves import hold_moves_off
from tickets.adapters.reports import lock_answer_of, lock_ticket_of
from tickets.attention import act_of, follow
from tickets.automatic import BY
from tickets.domain.deliveries import Moved
from tickets.events import emit_cancel, emit_send, emit_ticket_event

log = get_logger("sweep")

MAX_RESENDS = 3
AT_ONCE = 100
NO_NEWS = "the notifier gave no news of this mail; look whether it runs, then answer again"


class Sweep:
    """Looks every `interval` seconds at answers without news for `after`."""

    def __init__(self, outbox: Outbox, after: timedelta, interval: float) -> None:
        self._outbox = outbox
        self._after = after
        self._interval = interval

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("sweep", type(error).__name__).inc()
                log.warning("the sweep waits", error=str(error)[:300])

    async def once(self) -> int:
        """One round, bounded; returns how many answers it took up, each in a transaction of its own."""
        async with self._outbox.engine.connect() as conn:
            ids = await overdue(conn, self._outbox.clock() - self._after, AT_ONCE)
        return sum([await self._take_up(message_id) for message_id in ids])

    async def _take_up(self, message_id: str) -> bool:
        """False where there was news meanwhile, or another replica took it up."""
        async with self._outbox.transaction() as unit:
            await hold_moves_off(unit.conn)
            ticket = await lock_ticket_of(unit.conn, message_id)
            row = await lock_answer(unit.conn, message_id)
            if ticket is None or row is None or not row.waiting or row.sent_at >= unit.clock() - self._after:
                return False
            if row.resends < MAX_RESENDS:
                await resent(unit.conn, message_id, row.resends + 1, unit.clock())
                _say_again(unit, row)
                log.warning("an answer is told again", message=message_id, resend=row.resends + 1)
            else:
                await _give_up(unit, ticket, message_id)
        return True


async def _give_up(unit: Unit, ticket: Row[Any], message_id: str) -> None:
    at = unit.clock()
    answer = await lock_answer_of(unit.conn, message_id)
    lost = await give_up(unit.conn, message_id, NO_NEWS, at)
    moves = [Moved(recipient, DeliveryState.QUEUED, DeliveryState.FAILED) for recipient in lost]
    if answer is not None and await follow(unit, ticket, answer, moves, act_of(BY, message_id)):
        return
    of = (message_id, "given up")
    emit_ticket_event(unit, TicketEventType.DELIVERY, ticket.id, ticket.title, actor=BY, at=at, of=of, message_id=message_id)


def _say_again(unit: Unit, row: Row[Any]) -> None:
    """Under the same id. One that was taken back is not sent."""
    if row.cancelled_at is None:
        emit_send(unit, OutgoingMail.model_validate(row.body), resend=row.resends + 1)
    else:
        emit_cancel(unit, row.message_id, int(row.body["ticket_id"]), resend=row.resends + 1)
