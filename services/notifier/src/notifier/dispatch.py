"""The sending loop: finds out which SMTP identities have mails due and gives each a lane, so that a dead server delays only its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from notifier.adapters import ledger, limits, queue, stranded
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
TURN_S = 15.0
"""A lane that others wait for begins nothing more after this time: identities beyond `servers_at_once` have their turn, too."""


@dataclass
class _Experience:
    """With one version of an identity."""

    version: int
    times_away: int = 0
    not_before: float = 0.0
    pipelining: bool = True
    served_at: float = 0.0
    """When its last lane began; the loop's time."""


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
        self._holding = tools.holding

    async def run(self) -> None:
        """Send for ever. What is merely away is waited for; anything else is logged and tried again."""
        listening = listen(self._engine, ledger.WAKE_CHANNEL, lambda _: self._wake.set())
        helpers = [asyncio.create_task(listening, name="outgoing-listener"), asyncio.create_task(self._holding.run(), name="claims")]
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
        left, who = set(self._holding.left), self._tools.claimant
        async with self._tools.outbox.transaction() as unit:
            await self._holding.make_sure(unit.conn)
            if left:
                await queue.let_go(unit.conn, left, who)
            in_hand = self._holding.now()
            await stranded.delay_without_sender(unit, who, in_hand, self._clock() + NO_SENDER_POLL)
            await stranded.end_taken_back(unit, who, in_hand)
            due = await queue.due_senders(unit.conn, who, in_hand)
        self._holding.left -= left
        self._give_turns(due)

    def _give_turns(self, due: Sequence[tuple[str, int]]) -> None:
        """Whose last turn is longest ago comes first; of those that had none, whose mails wait longest."""
        now = asyncio.get_running_loop().time()
        waiting = False
        for sender_id, version in sorted(due, key=lambda one: self._experience(*one).served_at):
            if sender_id in self._lanes:
                self._lanes[sender_id][0].wake.set()
            elif now < self._experience(sender_id, version).not_before:
                continue
            elif len(self._lanes) < self._servers:
                self._open_lane(sender_id, version)
            else:
                waiting = True
        for sender_id, (lane, _) in self._lanes.items() if waiting else ():
            if now - self._known[sender_id].served_at >= TURN_S:
                lane.stop()

    def _experience(self, sender_id: str, version: int) -> _Experience:
        """Other settings are a new beginning."""
        known = self._known.get(sender_id)
        if known is None or known.version != version:
            known = self._known[sender_id] = _Experience(version)
        return known

    def _open_lane(self, sender_id: str, version: int) -> None:
        known = self._experience(sender_id, version)
        known.served_at = asyncio.get_running_loop().time()
        lane = Lane(sender_id, self._tools, pipelining=known.pipelining)
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
            self._holding.close(lane.sender_id)

    @staticmethod
    def _note_away(sender_id: str, known: _Experience, reason: str) -> None:
        known.times_away += 1
        seconds = min(AWAY_S * 2 ** min(known.times_away - 1, 10), MAX_AWAY_S)
        known.not_before = asyncio.get_running_loop().time() + seconds
        log.warning("SMTP server cannot be used", sender_id=sender_id, reason=reason, seconds=seconds)
