"""The sweep over answers: one without any news for too long is told to the notifier again, and at last called failed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select

from shared.events import OutgoingMail, TicketEventType
from shared.messaging.outbox import Outbox, Unit
from shared.observability import RETRIES, get_logger
from tickets.adapters.deliveries import give_up, overdue, resent
from tickets.adapters.reports import answer_of, lock_ticket_of
from tickets.adapters.tables import tickets
from tickets.attention import act_of, failed
from tickets.automatic import BY
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
        """One round, bounded; returns how many answers it took up."""
        async with self._outbox.transaction() as unit:
            rows = await overdue(unit.conn, unit.clock() - self._after, AT_ONCE)
            for row in rows:
                await self._take_up(unit, row)
        return len(rows)

    @staticmethod
    async def _take_up(unit: Unit, row: Row[Any]) -> None:
        at = unit.clock()
        if row.resends < MAX_RESENDS:
            await resent(unit.conn, row.message_id, row.resends + 1, at)
            _say_again(unit, row)
            log.warning("an answer is told again", message=row.message_id, resend=row.resends + 1)
            return
        ticket = await lock_ticket_of(unit.conn, row.message_id)
        lost = await give_up(unit.conn, row.message_id, NO_NEWS, at)
        answer = await answer_of(unit.conn, row.message_id)
        if ticket is not None and answer is not None and await failed(unit, ticket, answer, lost, act_of(BY, answer.id)):
            return
        title = await unit.conn.scalar(select(tickets.c.title).where(tickets.c.id == row.ticket_id)) or ""
        emit_ticket_event(
            unit,
            TicketEventType.DELIVERY,
            row.ticket_id,
            title,
            actor=BY,
            at=at,
            of=(row.message_id, "given up"),
            message_id=row.message_id,
        )


def _say_again(unit: Unit, row: Row[Any]) -> None:
    """Under the same id. One that was taken back is not sent."""
    if row.cancelled_at is None:
        emit_send(unit, OutgoingMail.model_validate(row.body), resend=row.resends + 1)
    else:
        emit_cancel(unit, row.message_id, int(row.body["ticket_id"]), resend=row.resends + 1)
