"""The sending loop: finds out which SMTP servers have mails due and gives each a lane of its own, so that a dead one delays only its own.

A lane claims a few mails at a time, sends them over connections it keeps, and ends when nothing came for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from notifier.adapters import ledger, queue
from notifier.adapters.queue import Claimant
from notifier.adapters.senders import Senders
from notifier.adapters.smtp import Connection, Patience, ServerProblemError
from notifier.delivery import Deliverer, Ready
from shared.clock import Clock
from shared.database import listen
from shared.messaging.outbox import Outbox
from shared.observability import RETRIES, get_logger
from shared.secrets import SecretUnreadableError

log = get_logger("dispatch")

POLL_S = 1.0
"""A notification may be lost while the listener is disconnected; polling finds what it missed."""
ROWS_PER_CONNECTION = 10
NO_SENDER_POLL = timedelta(seconds=30)
MAX_BACKOFF_S = 10.0
FINISH_S = 8.0
"""At stop, dialogues in progress may end: one cut off after its DATA would be sent again."""
AWAY_S, MAX_AWAY_S = 1.0, 60.0


@dataclass(frozen=True)
class Limits:
    """Bounds of the loop."""

    connections_per_server: int
    servers: int
    idle_seconds: float


class Dispatcher:
    """Run `run()` as a task while the service lives; cancel it to stop."""

    def __init__(
        self, outbox: Outbox, senders: Senders, deliverer: Deliverer, claimant: Claimant, patience: Patience, limits: Limits
    ) -> None:
        self._outbox = outbox
        self._engine: AsyncEngine = outbox.engine
        self._clock: Clock = outbox.clock
        self._senders = senders
        self._deliverer = deliverer
        self._claimant = claimant
        self._patience = patience
        self._limits = limits
        self._wake = asyncio.Event()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._lane_wakes: dict[str, asyncio.Event] = {}
        self._away: dict[str, tuple[int, int, float]] = {}
        self._in_hand: set[str] = set()
        self._stopping = False

    async def run(self) -> None:
        """Send for ever. What is merely away is waited for; anything else is logged and tried again."""
        listening = listen(self._engine, ledger.WAKE_CHANNEL, lambda _: self._wake.set())
        helpers = [asyncio.create_task(listening, name="outgoing-listener"), asyncio.create_task(self._renew(), name="claims")]
        backoff, taken_back = 0.1, False
        try:
            while True:
                try:
                    taken_back = taken_back or await self._take_back()
                    await self._round()
                    backoff = 0.1
                except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                    RETRIES.labels("dispatch", type(error).__name__).inc()
                    log.warning("sending waits", error=str(error)[:500], seconds=backoff)
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, MAX_BACKOFF_S)
                    continue
                await _wait(self._wake, POLL_S)
        finally:
            await self._finish(helpers)

    async def _finish(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        self._stopping = True
        for event in self._lane_wakes.values():
            event.set()
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=FINISH_S)
        tasks = [*self._lanes.values(), *helpers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_back(self) -> bool:
        async with self._engine.begin() as conn:
            count = await queue.take_back(conn, self._claimant)
        if count:
            log.info("took back what an earlier run of this instance held", mails=count)
        return True

    async def _round(self) -> None:
        """Give every identity with due mails a lane, and tell of mails that have none."""
        async with self._outbox.transaction() as unit:
            await queue.delay_without_sender(unit, self._clock() + NO_SENDER_POLL)
            due = await queue.due_senders(unit.conn)
        now = asyncio.get_running_loop().time()
        for sender_id, version in due:
            failed_version, _, until = self._away.get(sender_id, (version, 0, 0.0))
            if sender_id in self._lanes:
                self._lane_wakes[sender_id].set()
            elif len(self._lanes) < self._limits.servers and (now >= until or version != failed_version):
                self._open_lane(sender_id)

    def _open_lane(self, sender_id: str) -> None:
        wake = self._lane_wakes[sender_id] = asyncio.Event()
        task = self._lanes[sender_id] = asyncio.create_task(self._lane(sender_id, wake), name=f"lane-{sender_id}")
        task.add_done_callback(lambda _: self._close_lane(sender_id))

    def _close_lane(self, sender_id: str) -> None:
        self._lanes.pop(sender_id, None)
        self._lane_wakes.pop(sender_id, None)
        self._wake.set()  # it may have ended for want of a connection while others wait for a place

    async def _lane(self, sender_id: str, wake: asyncio.Event) -> None:
        """Serve one identity until nothing is due for a while, or its server is away."""
        pool = _Pool()
        try:
            version: int | None = None
            while not self._stopping:
                async with self._engine.begin() as conn:
                    sender = await self._senders.get(conn, sender_id)
                    if sender is None:
                        return
                    rows = await queue.claim(conn, sender_id, self._claimant, self._limits.connections_per_server * ROWS_PER_CONNECTION)
                if sender.version != version:
                    await pool.close()
                    version = sender.version
                if rows:
                    await self._send(sender, rows, pool)
                elif not await _wait(wake, self._limits.idle_seconds):
                    return
        except ServerProblemError as error:
            self._note_away(sender_id, version or 0, str(error))
        except Exception as error:  # one lane's trouble is not the others'
            RETRIES.labels("lane", type(error).__name__).inc()
            log.warning("lane ended", sender_id=sender_id, error=str(error)[:500], exc_info=error)
            self._note_away(sender_id, version or 0, str(error))
        else:
            self._away.pop(sender_id, None)
        finally:
            await pool.close()

    def _note_away(self, sender_id: str, version: int, reason: str) -> None:
        failed_version, times, _ = self._away.get(sender_id, (version, 0, 0.0))
        times = times + 1 if failed_version == version else 1
        seconds = min(AWAY_S * 2 ** min(times - 1, 10), MAX_AWAY_S)
        self._away[sender_id] = version, times, asyncio.get_running_loop().time() + seconds
        log.warning("SMTP server cannot be used", sender_id=sender_id, reason=reason, seconds=seconds)

    async def _send(self, sender: Row[Any], rows: Sequence[Row[Any]], pool: _Pool) -> None:
        """Send the claimed mails over as many connections as are allowed. Raises ServerProblemError when the server is away."""
        ids = [row.id for row in rows]
        self._in_hand.update(ids)
        try:
            left = iter(await self._deliverer.prepare(rows, sender))
            # No task group: a sibling's dialogue must not be cut off in the middle.
            workers = [self._work(sender, left, pool) for _ in range(min(self._limits.connections_per_server, len(rows)))]
            results = await asyncio.gather(*workers, return_exceptions=True)
            problem = next((result for result in results if isinstance(result, BaseException)), None)
            if problem is not None:
                raise problem
            self._away.pop(sender.id, None)
        finally:
            await self._deliverer.recorded(ids)
            with contextlib.suppress(Exception):
                async with self._engine.begin() as conn:
                    await queue.let_go(conn, ids, self._claimant)
            self._in_hand.difference_update(ids)

    async def _work(self, sender: Row[Any], left: Iterator[Ready], pool: _Pool) -> None:
        for ready in left:
            if self._stopping:
                return
            async with pool.connection() as held:
                if held.connection is None:
                    held.connection = await self._connect(sender, ready, left)
                await self._deliverer.deliver(ready, held.connection)

    async def _connect(self, sender: Row[Any], ready: Ready, left: Iterator[Ready]) -> Connection:
        """A new connection. When there is none to be had, all that is left is delayed and the lane ends."""
        try:
            connection = Connection(self._senders.server(sender), self._patience)
            await connection.connect()
        except (ServerProblemError, SecretUnreadableError) as error:
            self._deliverer.postpone([ready.row, *(one.row for one in left)], str(error))
            raise ServerProblemError(str(error)) from error
        return connection

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._claimant.lease.total_seconds() / 3)
            if self._in_hand:
                with contextlib.suppress(Exception):
                    async with self._engine.begin() as conn:
                        await queue.renew(conn, self._in_hand, self._claimant)


@dataclass
class _Held:
    connection: Connection | None


class _Pool:
    """Open connections of a lane that nobody uses at the moment."""

    def __init__(self) -> None:
        self._free: list[Connection] = []

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[_Held]:
        """An open connection, or a place to put one; kept for the next user when it is still good."""
        held = _Held(self._free.pop() if self._free else None)
        if held.connection is not None and not held.connection.open:
            held.connection = None
        try:
            yield held
        finally:
            if held.connection is not None and held.connection.open:
                self._free.append(held.connection)

    async def close(self) -> None:
        while self._free:
            await self._free.pop().quit()


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event and clear it; False when the time ran out."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    happened = event.is_set()
    event.clear()
    return happened
