"""The sending loop: finds out which SMTP identities have mails due and gives each a lane, so that a dead server delays only its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from notifier.adapters import ledger, limits, queue
from notifier.adapters.smtp import ServerProblemError
from notifier.lane import Lane, Tools, wait
from shared.clock import Clock
from shared.database import listen
from shared.observability import RETRIES, get_logger

log = get_logger("dispatch")

POLL_S = 1.0
"""A notification may be lost while the listener is disconnected; polling finds what it missed."""
NO_SENDER_POLL = timedelta(seconds=30)
MAX_BACKOFF_S = 10.0
FINISH_S = 8.0
"""At stop, dialogues in progress may end: one cut off after its DATA would be sent again."""
AWAY_S, MAX_AWAY_S = 1.0, 60.0


@dataclass
class _Experience:
    """With one version of an identity."""

    version: int
    times_away: int = 0
    not_before: float = 0.0
    pipelining: bool = True


class Dispatcher:
    """Run `run()` as a task while the service lives; cancel it to stop."""

    def __init__(self, tools: Tools, servers: int) -> None:
        self._tools = tools
        self._servers = servers
        self._engine: AsyncEngine = tools.outbox.engine
        self._clock: Clock = tools.outbox.clock
        self._wake = asyncio.Event()
        self._lanes: dict[str, tuple[Lane, asyncio.Task[None]]] = {}
        self._known: dict[str, _Experience] = {}
        self._left: set[str] = set()
        """Mails that lanes could not give back while the database was away."""

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
                await wait(self._wake, POLL_S)
        finally:
            await self._finish(helpers)

    async def _finish(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        for lane, _ in self._lanes.values():
            lane.stop()
        running = [task for _, task in self._lanes.values()]
        if running:
            await asyncio.wait(running, timeout=FINISH_S)
        for task in (*running, *helpers):
            task.cancel()
        await asyncio.gather(*running, *helpers, return_exceptions=True)

    async def _take_back(self) -> bool:
        async with self._engine.begin() as conn:
            await limits.take_back_slots(conn, self._tools.claimant)
            count = await queue.take_back(conn, self._tools.claimant)
        if count:
            log.info("took back what an earlier run of this instance held", mails=count)
        return True

    async def _round(self) -> None:
        """Give every identity with due mails a lane, and tell of mails that have none."""
        left = set(self._left)
        async with self._tools.outbox.transaction() as unit:
            if left:
                await queue.let_go(unit.conn, left, self._tools.claimant)
            await queue.delay_without_sender(unit, self._clock() + NO_SENDER_POLL)
            due = await queue.due_senders(unit.conn)
        self._left -= left
        now = asyncio.get_running_loop().time()
        for sender_id, version in due:
            if sender_id in self._lanes:
                self._lanes[sender_id][0].wake.set()
            elif len(self._lanes) < self._servers and now >= self._experience(sender_id, version).not_before:
                self._open_lane(sender_id, version)

    def _experience(self, sender_id: str, version: int) -> _Experience:
        """Other settings are a new beginning."""
        known = self._known.get(sender_id)
        if known is None or known.version != version:
            known = self._known[sender_id] = _Experience(version)
        return known

    def _open_lane(self, sender_id: str, version: int) -> None:
        lane = Lane(sender_id, self._tools, pipelining=self._experience(sender_id, version).pipelining)
        task = asyncio.create_task(self._serve(lane, version), name=f"lane-{sender_id}")
        self._lanes[sender_id] = lane, task
        task.add_done_callback(lambda _: self._close_lane(sender_id))

    def _close_lane(self, sender_id: str) -> None:
        self._lanes.pop(sender_id, None)
        self._wake.set()  # others may wait for its place

    async def _serve(self, lane: Lane, version: int) -> None:
        """Run the lane, and remember what was learned about its server."""
        known = self._experience(lane.sender_id, version)
        try:
            await lane.run()
        except ServerProblemError as error:
            self._note_away(lane.sender_id, known, str(error))
        except Exception as error:  # one lane's trouble is not the others'
            RETRIES.labels("lane", type(error).__name__).inc()
            log.warning("lane ended", sender_id=lane.sender_id, error=str(error)[:500], exc_info=error)
            self._note_away(lane.sender_id, known, str(error))
        else:
            known.times_away = 0
            known.not_before = asyncio.get_running_loop().time() + lane.rest.total_seconds()
        finally:
            known.pipelining = lane.pipelining
            self._left |= lane.in_hand

    @staticmethod
    def _note_away(sender_id: str, known: _Experience, reason: str) -> None:
        known.times_away += 1
        seconds = min(AWAY_S * 2 ** min(known.times_away - 1, 10), MAX_AWAY_S)
        known.not_before = asyncio.get_running_loop().time() + seconds
        log.warning("SMTP server cannot be used", sender_id=sender_id, reason=reason, seconds=seconds)

    async def _renew(self) -> None:
        """Keep what is in hand: mails, results not written yet, connections, and what counts for a limit."""
        claimant = self._tools.claimant
        while True:
            await asyncio.sleep(claimant.lease.total_seconds() / 3)
            lanes = [lane for lane, _ in self._lanes.values()]
            ids = self._tools.results.waiting.union(*(lane.in_hand for lane in lanes))
            with contextlib.suppress(Exception):
                async with self._engine.begin() as conn:
                    if ids:
                        await queue.renew(conn, ids, claimant)
                        await limits.renew_grants(conn, ids, claimant)
                    await limits.renew_slots(conn, {lane.sender_id: lane.slots for lane in lanes}, claimant)
