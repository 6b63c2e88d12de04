"""What is removed for good when its time is over: deleted tickets where the setting says so, ended jobs, drafts and files left lying."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from shared.archive import Archive
from shared.messaging.outbox import Outbox
from shared.observability import RETRIES, TICKETS_PURGED, get_logger
from tickets.adapters.drafts import remove_old_drafts
from tickets.adapters.retention import deleted_before, remove_jobs, remove_tickets
from tickets.adapters.uploads import remove_unused
from tickets.unwanted import remove_unwanted

log = get_logger("retention")

AT_ONCE: Final = 100
EVERY_S: Final = 60.0
JOBS_KEPT: Final = timedelta(days=30)
DRAFTS_KEPT: Final = timedelta(days=90)
"""Without a change."""
UPLOADS_KEPT: Final = timedelta(days=7)
"""In neither a draft nor an answer."""
UNWANTED_KEPT: Final = timedelta(hours=1)
"""Before that a file may be of an upload that is under way."""


class Retention:
    """`deleted_days` after its deletion a ticket goes; 0: never."""

    def __init__(self, outbox: Outbox, archive: Archive, deleted_days: int) -> None:
        self._outbox = outbox
        self._archive = archive
        self._deleted_days = deleted_days

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                removed = await self.once()
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("retention", type(error).__name__).inc()
                log.warning("old rows stay for now", error=str(error)[:300])
                removed = 0
            await asyncio.sleep(0 if removed == AT_ONCE else EVERY_S)

    async def once(self) -> int:
        """One round, bounded; returns how many of a sort went at most."""
        async with self._outbox.transaction() as unit:
            jobs = await remove_jobs(unit.conn, unit.clock() - JOBS_KEPT, AT_ONCE)
            drafts = await remove_old_drafts(unit.conn, unit.clock() - DRAFTS_KEPT, AT_ONCE)
        tickets = await self._tickets() if self._deleted_days else 0
        return max(jobs, drafts, tickets, await self._files())

    async def _files(self) -> int:
        async with self._outbox.transaction() as unit:
            unused = await remove_unused(unit.conn, unit.clock() - UPLOADS_KEPT, AT_ONCE)
        async with self._outbox.transaction() as unit:
            removed, more = await remove_unwanted(unit, self._archive, unit.clock() - UNWANTED_KEPT)
        if removed:
            log.info("uploaded files removed for good", files=removed)
        return max(unused, AT_ONCE if more else removed)

    async def _tickets(self) -> int:
        async with self._outbox.transaction() as unit:
            numbers = await deleted_before(unit.conn, unit.clock() - timedelta(days=self._deleted_days), AT_ONCE)
            if numbers:
                await remove_tickets(unit.conn, numbers)
        if numbers:
            TICKETS_PURGED.inc(len(numbers))
            log.info("deleted tickets removed for good", tickets=len(numbers), first=numbers[0], days=self._deleted_days)
        return len(numbers)
