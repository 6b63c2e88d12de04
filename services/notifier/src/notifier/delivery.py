"""One mail from the ledger to the SMTP server: bytes made once, `sending` written first, then the dialogue, then its record."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from notifier.adapters import queue, senders
from notifier.adapters.queue import Claimant, Tried
from notifier.adapters.smtp import Connection, ServerProblemError
from notifier.domain.compose import ComposeError, NoAddressError, compose
from notifier.domain.schedule import LONGEST_AWAY, LONGEST_PAUSE, Result, Verdict, delivery_state, is_over, pause
from shared.archive import Archive
from shared.clock import Clock
from shared.events import OutgoingMail
from shared.messaging.outbox import Outbox
from shared.observability import SMTP_RESULTS, get_logger

log = get_logger("delivery")


@dataclass(frozen=True)
class Retries:
    """How often and how long a mail is tried. `chance` gives jitter in [0, 1)."""

    first: timedelta
    limit: timedelta
    chance: Callable[[], float] = random.random


class Deliverer:
    """Delivers claimed mails over a connection its caller keeps."""

    def __init__(self, outbox: Outbox, archive: Archive, claimant: Claimant, retries: Retries, clock: Clock) -> None:
        self._outbox = outbox
        self._archive = archive
        self._claimant = claimant
        self._retries = retries
        self._clock = clock

    async def deliver(self, row: Row[Any], sender: Row[Any], connection: Connection) -> None:
        """One try. Raises ServerProblemError after it is recorded: the connection is of no more use."""
        started = self._clock()
        try:
            made, data = await self._bytes(row, sender)
        except (ComposeError, NoAddressError) as error:
            await self._settle_unmade(row, error, started)
            return
        async with self._outbox.engine.begin() as conn:
            waiting = await queue.begin(conn, row.id, self._claimant, made)
        if not waiting:
            return
        boxes = {one.mailbox: one.address for one in waiting if one.mailbox}
        try:
            verdicts = await connection.send(made["envelope_from"], list(boxes), data)
        except ServerProblemError as error:
            await self.postpone(row, str(error), started)
            raise
        await self._record(row, {boxes[mailbox]: verdict for mailbox, verdict in verdicts.items()}, started)

    async def postpone(self, row: Row[Any], reason: str, started: datetime | None = None) -> None:
        """A try that did not get through to the mail: everybody who waits is delayed, or failed when the time is over."""
        async with self._outbox.engine.connect() as conn:
            waiting = await queue.waiting(conn, row.id)
        verdicts = {one.address: Verdict(Result.TEMPORARY, reason) for one in waiting}
        await self._record(row, verdicts, started or self._clock(), away=True)

    async def _bytes(self, row: Row[Any], sender: Row[Any]) -> tuple[dict[str, str], bytes]:
        """The mail as it was first made. After a crash between archive and ledger the archive's copy is the one that counts."""
        if row.mime_key:
            return {"envelope_from": row.envelope_from, "mime_key": row.mime_key}, await self._archive.get(row.mime_key)
        async with self._outbox.engine.connect() as conn:
            identity = await senders.identity(conn, row.scanner_id, sender)
        composed = compose(OutgoingMail.model_validate(row.event), identity, row.created_at.astimezone(UTC))
        key = f"sent/{row.created_at.astimezone(UTC):%Y-%m}/{row.id}.eml.zst"
        await self._archive.put(key, composed.data)
        return {"envelope_from": composed.envelope_from, "mime_key": key}, await self._archive.get(key)

    async def _settle_unmade(self, row: Row[Any], error: Exception, started: datetime) -> None:
        """Without an address it waits for one; what can never be a mail has failed."""
        patient = isinstance(error, NoAddressError)
        result = Result.TEMPORARY if patient else Result.PERMANENT
        async with self._outbox.engine.connect() as conn:
            waiting = await queue.waiting(conn, row.id)
        await self._record(row, {one.address: Verdict(result, str(error)) for one in waiting}, started, counts=not patient)

    async def _record(
        self, row: Row[Any], verdicts: Mapping[str, Verdict], started: datetime, *, away: bool = False, counts: bool = True
    ) -> None:
        now = self._clock()
        give_up = counts and is_over(row.first_try_at or started, now, self._retries.limit)
        changes = {address: (delivery_state(one.result, give_up=give_up), one.detail) for address, one in verdicts.items()}
        wait = pause(row.tries + 1, self._retries.first, LONGEST_AWAY if away else LONGEST_PAUSE, self._retries.chance())
        detail = "; ".join(sorted({one.detail for one in verdicts.values() if one.result is not Result.SENT})) or _best(verdicts)
        async with self._outbox.transaction() as unit:
            state = await queue.record(unit, row.id, self._claimant, Tried(changes, started, detail, now + wait, counts))
        for one in verdicts.values():
            SMTP_RESULTS.labels("away" if away else one.result.value).inc()
        facts = {"outgoing_id": row.id, "ticket_id": row.ticket_id, "message_id": row.message_id, "tries": row.tries + 1}
        log.info("answer tried", state=state, detail=detail, **facts)


def _best(verdicts: Mapping[str, Verdict]) -> str:
    return next((one.detail for one in verdicts.values()), "")
