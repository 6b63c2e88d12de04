"""The sending loop: webhooks with something due get a lane each, in turn, so that a hanging receiver delays no other.

Any number of replicas run it: what one has claimed the others leave alone until its lease ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from shared.database import listen
from shared.observability import RETRIES, WEBHOOKS_WAITING, get_logger
from tickets.adapters import webhook_queue as queue
from tickets.adapters.webhook_store import get_webhook
from tickets.webhooks.telling import Teller

log = get_logger("webhooks")

LANES: Final = 16
FAILING_LANES: Final = LANES // 2
"""Receivers that only failed lately cannot take all lanes from those that answer."""
WIDTH: Final = 4
"""Calls of one webhook at once; of a failing one a single one, which finds out whether it is back."""
POLL_S: Final = 1.0
"""A notification may be lost while the listener is disconnected, and retries come due by themselves."""
TIDY_S: Final = 60.0
MAX_BACKOFF_S: Final = 10.0
FINISH_S: Final = 8.0
"""At stop, calls under way may end: one cut off is told again."""


class Sender:
    """Run `run()` as a task while the service lives; cancel it to stop. Finished deliveries are kept for `keep`."""

    def __init__(self, teller: Teller, keep: timedelta) -> None:
        self._teller = teller
        self._outbox = teller.outbox
        self._keep = keep
        self._wake = asyncio.Event()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()
        self._turns = itertools.count(1)
        self._served: dict[str, int] = {}

    async def run(self) -> None:
        """For ever. What is merely away is waited for; anything else is logged and tried again."""
        helpers = [
            asyncio.create_task(listen(self._outbox.engine, queue.WAKE_CHANNEL, lambda _: self._wake.set()), name="webhooks-listener"),
            asyncio.create_task(self._keep_tidy(), name="webhooks-tidy"),
        ]
        backoff = POLL_S
        try:
            while True:
                try:
                    await self._round()
                    backoff = POLL_S
                except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                    _note("webhooks", error)
                    backoff = min(backoff * 2, MAX_BACKOFF_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), backoff)
                self._wake.clear()
        finally:
            await self._finish(helpers)

    async def once(self) -> None:
        """Tell all that is due, until nothing is."""
        while await self._round():
            await asyncio.wait(self._lanes.values())

    async def tidy(self) -> None:
        """Remove what was kept long enough, a bounded part at a time, and count what waits."""
        removed = queue.PURGED_AT_ONCE
        while removed >= queue.PURGED_AT_ONCE:
            async with self._outbox.engine.begin() as conn:
                removed = await queue.purge(conn, self._outbox.clock() - self._keep)
        async with self._outbox.engine.connect() as conn:
            WEBHOOKS_WAITING.set(await queue.waiting_count(conn))

    async def _round(self) -> int:
        """Open lanes, first for whoever was served longest ago; returns how many are open."""
        async with self._outbox.engine.connect() as conn:
            due = await queue.due_webhooks(conn, self._outbox.clock())
        self._served = {row.id: self._served.get(row.id, 0) for row in due}
        for row in sorted(due, key=lambda row: self._served[row.id]):
            if len(self._lanes) < LANES and row.id not in self._lanes:
                self._open_lane(row.id, failing=row.failing_since is not None)
        return len(self._lanes)

    def _open_lane(self, webhook_id: str, *, failing: bool) -> None:
        if failing and len(self._failing) >= FAILING_LANES:
            return
        if failing:
            self._failing.add(webhook_id)
        self._served[webhook_id] = next(self._turns)
        task = self._lanes[webhook_id] = asyncio.create_task(self._lane(webhook_id, 1 if failing else WIDTH), name=f"webhook-{webhook_id}")
        task.add_done_callback(lambda _: self._close_lane(webhook_id))

    def _close_lane(self, webhook_id: str) -> None:
        self._lanes.pop(webhook_id, None)
        self._failing.discard(webhook_id)
        self._wake.set()

    async def _lane(self, webhook_id: str, width: int) -> None:
        """One claim of a webhook's deliveries, told side by side."""
        try:
            webhook, rows = await self._claim(webhook_id, width)
            # No task group: one result that cannot be written must not cut off the other calls.
            results = await asyncio.gather(*(self._teller.tell(webhook, row) for row in rows), return_exceptions=True)
        except Exception as error:  # noqa: BLE001 -- one webhook's trouble is not the others'
            results = [error]
        for result in results:
            if isinstance(result, Exception):
                _note("webhook", result)

    async def _claim(self, webhook_id: str, width: int) -> tuple[Row[Any], Sequence[Row[Any]]]:
        async with self._outbox.engine.begin() as conn:
            webhook = await get_webhook(conn, webhook_id)
            now = self._outbox.clock()
            return webhook, await queue.claim(conn, webhook_id, self._teller.holder, now, self._teller.lease, width)

    async def _keep_tidy(self) -> None:
        while True:
            try:
                await self.tidy()
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                _note("webhooks-tidy", error)
            await asyncio.sleep(TIDY_S)

    async def _finish(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=FINISH_S)
        tasks = [*self._lanes.values(), *helpers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _note(what: str, error: Exception) -> None:
    RETRIES.labels(what, type(error).__name__).inc()
    log.warning("telling webhooks waits", what=what, error=str(error)[:300])
