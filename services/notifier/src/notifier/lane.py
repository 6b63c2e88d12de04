"""One SMTP identity's mails: claimed a few at a time, sent over connections that are kept, as many and as fast as its server puts up with.

A lane serves one version of its identity's settings, and ends when nothing came for a while or its server cannot be used.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import limits, queue
from notifier.adapters.beginnings import Beginnings
from notifier.adapters.claimant import Claimant
from notifier.adapters.holding import Holding
from notifier.adapters.limits import MINUTE
from notifier.adapters.queue import Beginning
from notifier.adapters.results import Results, Try
from notifier.adapters.senders import Senders
from notifier.adapters.smtp import Connection, CutShortError, HandedOverError, Patience, ServerProblemError
from notifier.delivery import Deliverer, Ready
from notifier.domain.schedule import Result, Verdict
from notifier.pool import EnoughError, Pool
from shared.messaging.outbox import Outbox

ROWS_PER_CONNECTION = 10
FEWER_S = 60.0
"""A server that refused one more connection is not asked for it so long."""
BROKEN_OFF = 3
"""So many dialogues in a row without an answer, and the server is left alone for a while."""
NOTED, NOTED_GROUPS = 200, 25
"""Mails that are told at a time, and at most how often in a row, that their server is away; the next try goes on with others."""


@dataclass(frozen=True)
class Bounds:
    """Of one lane in this process."""

    connections: int
    idle_seconds: float


@dataclass(frozen=True)
class Tools:
    """What all lanes share."""

    outbox: Outbox
    senders: Senders
    deliverer: Deliverer
    beginnings: Beginnings
    results: Results
    claimant: Claimant
    holding: Holding
    patience: Patience
    bounds: Bounds


class Lane:
    """`run` it once; `stop` lets it finish the dialogues in progress, cancelling it cuts them off."""

    def __init__(self, sender_id: str, tools: Tools, *, pipelining: bool) -> None:
        self.sender_id = sender_id
        self.wake = asyncio.Event()
        self.version: int | None = None
        self.rest = timedelta()
        """How long the identity's limit leaves nothing to do."""
        self._tools = tools
        self._share = tools.holding.open(sender_id)
        """What is left of its mails after `run` could not be given back."""
        self._most = tools.bounds.connections
        self._fewer_until = 0.0
        self._sender: Row[Any] | None = None
        self._queue: deque[Ready] = deque()
        self._large: str | None = None
        """The large mail that is held: one at a time."""
        self._workers: set[asyncio.Task[None]] = set()
        self._pool = Pool(self._new_connection, pipelining=pipelining)
        self._finished: set[str] = set()
        self._unused: set[str] = set()
        self._broken = 0
        self._away: str | None = None
        self._stopping = False

    @property
    def pipelining(self) -> bool:
        """Whether its server may get commands in one piece, as far as is known."""
        return self._pool.pipelining

    def stop(self) -> None:
        """Begin no further mail."""
        self._stopping = True
        self.wake.set()

    async def run(self) -> None:
        """Send until nothing is left to do. Raises ServerProblemError when the server cannot be used, and what the database raises."""
        try:
            while not self._stopping and await self._fill():
                self._employ()
                if not await self._something():
                    return
        except asyncio.CancelledError:
            for worker in self._workers:
                worker.cancel()
            raise
        except ServerProblemError:
            if self._away is not None:
                await self._note_away(self._away)
            raise
        finally:
            await self._end()

    async def _fill(self) -> bool:
        """Claim more when little is left. False when this lane cannot go on: other settings, no connection free, the minute used up."""
        if self._sender is not None and len(self._queue) > len(self._workers):
            return True
        if asyncio.get_running_loop().time() > self._fewer_until:
            self._most = self._tools.bounds.connections
        async with self._tools.outbox.engine.begin() as conn:
            sender = await self._tools.senders.get(conn, self.sender_id)
            if sender is None or self.version not in {None, sender.version}:
                return False
            self._sender, self.version = sender, sender.version
            await self._tools.holding.make_sure(conn)
            await self._more_slots(conn, sender, 1)
            rows = await self._claim(conn, sender) if self._share.slots else []
            await self._more_slots(conn, sender, len(self._queue) + len(self._workers) + len(rows))
        self._share.mails.update(row.id for row in rows)
        made = await self._tools.deliverer.prepare(rows, sender)
        self._queue.extend(made)
        self._finish({row.id for row in rows} - {ready.row.id for ready in made})
        return bool(self._queue or self._workers or self._finished or (self._share.slots and not self.rest))

    async def _claim(self, conn: AsyncConnection, sender: Row[Any]) -> Sequence[Row[Any]]:
        """Due mails, at most as many as the identity's limit allows now."""
        if sender.per_minute is not None:
            await self._tools.senders.get(conn, self.sender_id, lock=True)
        allowance = await limits.allowance(conn, sender)
        self.rest = min(allowance.wait, MINUTE) if allowance.recipients == 0 else timedelta()
        if self.rest:
            return []
        rows = min(sender.connections, self._most) * ROWS_PER_CONNECTION
        tools = self._tools
        claimed, more_due = await queue.claim(conn, self.sender_id, tools.claimant, tools.holding.now(), rows, allowance)
        if more_due and not claimed:
            self.rest = min(allowance.wait, MINUTE)
        return claimed

    async def _more_slots(self, conn: AsyncConnection, sender: Row[Any], mails: int) -> None:
        slots = self._share.slots
        wanted = min(mails, sender.connections, self._most) - len(slots)
        if wanted > 0:
            slots |= await limits.take_slots(conn, sender, self._tools.claimant, slots, wanted)

    def _employ(self) -> None:
        """No task group: a sibling's dialogue must not be cut off in the middle."""
        more = min(len(self._share.slots), self._most) - len(self._workers)
        large = sum(ready.large for ready in self._queue)
        for _ in range(min(more, len(self._queue) - large + (1 if large and self._large is None else 0))):
            worker = asyncio.create_task(self._work(), name=f"smtp-{self.sender_id}")
            worker.add_done_callback(lambda _: self.wake.set())
            self._workers.add(worker)

    async def _something(self) -> bool:
        """Wait for news of the workers or of the ledger; False when nothing came for a while. Raises what ended a worker."""
        if not self._workers and self._finished:
            await self._recorded()  # the next answer of a ticket may be due now
            return True
        seconds = None if self._workers else self._tools.bounds.idle_seconds
        happened = await wait(self.wake, seconds)
        ended = {worker for worker in self._workers if worker.done()}
        self._workers -= ended
        for worker in ended:
            worker.result()
        return happened

    async def _work(self) -> None:
        while not self._stopping and (ready := self._next()) is not None:
            if len(self._queue) == len(self._workers):
                self.wake.set()
            try:
                connection = await self._connection(ready)
                if connection is None:
                    return
                await self._send(ready, connection)
            finally:
                if self._large == ready.row.id:
                    self._large = None

    def _next(self) -> Ready | None:
        """The next mail; a large one when none is held. Those that wait for each other's order were not claimed together."""
        for place, ready in enumerate(self._queue):
            if not ready.large or self._large is None:
                del self._queue[place]
                self._large = ready.row.id if ready.large else self._large
                return ready
        return None

    async def _send(self, ready: Ready, connection: Connection) -> None:
        row, tools = ready.row, self._tools
        try:
            data = await tools.deliverer.read(ready)
            begun = Beginning(row.id, ready.envelope_from, ready.mime_key, ready.text, ready.subject)
            people = await tools.beginnings.begin(begun) if data is not None else {}
        except BaseException:
            self._pool.put_back(connection)
            raise
        started = tools.outbox.clock()
        if data is None or not people:
            self._pool.put_back(connection)
            self._unused.add(row.id)
            self._finish({row.id})
            return
        limited = self._sender is not None and self._sender.per_minute is not None
        try:
            verdicts = await self._pool.send(connection, ready.letter(data, list(people)), row.message_id)
        except ServerProblemError as error:
            away, unanswered = not isinstance(error, CutShortError | HandedOverError), isinstance(error, HandedOverError)
            nobody = Try(started, {}, Verdict(Result.TEMPORARY, str(error)), away=away, unanswered=unanswered, limited=limited)
            tools.results.add(row.id, nobody)
            self._finish({row.id})
            self._broken += 1
            if self._broken >= BROKEN_OFF:
                raise
            return
        self._broken = 0
        each = {address: one for box, one in verdicts.items() for address in people[box]}
        tools.results.add(row.id, Try(started, each, limited=limited, note=ready.problem))
        self._finish({row.id})

    async def _connection(self, ready: Ready) -> Connection | None:
        """An open connection. None, and the mail back in its place, where the server allows fewer than we have slots.

        When there is none to be had at all, all that is left is delayed and the lane ends.
        """
        try:
            return await self._pool.take()
        except EnoughError:
            self._queue.appendleft(ready)
            self._most, self._fewer_until = self._pool.open, asyncio.get_running_loop().time() + FEWER_S
            return None
        except ServerProblemError as error:
            self._away = str(error)
            mails = {one.row.id for one in (ready, *self._queue)}
            self._queue.clear()
            self._postpone(mails, self._away)
            raise

    def _new_connection(self, pipelining: bool) -> Connection:
        if self._sender is None:
            raise ServerProblemError("the identity is gone")
        return Connection(self._tools.senders.server(self._sender), self._tools.patience, pipelining=pipelining)

    def _postpone(self, mails: set[str], reason: str, *, noted: bool = False) -> None:
        """The server cannot be used: all of these are delayed, or failed when their time is over."""
        verdict = Verdict(Result.TEMPORARY, reason)
        for one in mails:
            self._tools.results.add(one, Try(self._tools.outbox.clock(), {}, verdict, away=True, begun=False, noted=noted))
        self._unused |= mails
        self._finish(mails)

    async def _note_away(self, reason: str) -> None:
        """All that is due waits for the server, not only what was claimed to be sent: nobody is to wonder about the rest for days."""
        tools = self._tools
        await self._recorded()
        for _ in range(NOTED_GROUPS):
            if self._stopping:
                return
            async with tools.outbox.engine.begin() as conn:
                mails = await queue.claim_waiting(conn, self.sender_id, tools.claimant, tools.holding.now(), NOTED)
            self._share.mails |= mails
            self._postpone(mails, reason, noted=True)
            await self._recorded()
            if len(mails) < NOTED:
                return

    def _finish(self, ids: set[str]) -> None:
        """These have a result, or need none."""
        self._share.mails -= ids
        self._finished |= ids

    async def _recorded(self) -> None:
        finished, self._finished = self._finished, set()
        await self._tools.results.written(finished)

    async def _end(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._pool.close()
        await self._recorded()
        async with self._tools.outbox.engine.begin() as conn:
            await queue.let_go(conn, self._share.mails, self._tools.claimant)
            await limits.return_unused(conn, self._share.mails | self._unused)
            await limits.give_back_slots(conn, self.sender_id, self._share.slots, self._tools.claimant)
        self._share.mails.clear()


async def wait(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for the event and clear it; False when the time ran out."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    happened = event.is_set()
    event.clear()
    return happened
