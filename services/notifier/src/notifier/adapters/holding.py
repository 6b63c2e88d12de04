"""What this process has in hand, over all its lanes: kept by renewing its leases, and never claimed a second time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notifier.adapters import limits, queue
from notifier.adapters.claimant import Claimant, InHand
from notifier.adapters.results import Results
from shared.observability import RETRIES, get_logger

log = get_logger("holding")

RETRY_S = 1.0


@dataclass
class Share:
    """Of one lane."""

    mails: set[str] = field(default_factory=set)
    """Claimed, and without a result."""
    slots: set[int] = field(default_factory=set)
    """Numbers of its connections."""


class Holding:
    """Run `run()` as a task while lanes work."""

    def __init__(self, engine: AsyncEngine, results: Results, claimant: Claimant) -> None:
        self._engine = engine
        self._results = results
        self._claimant = claimant
        self._shares: dict[str, Share] = {}
        self._sure = True
        self._alone_until = 0.0
        self.left: set[str] = set()
        """Mails that lanes could not give back while the database was away."""

    def open(self, sender_id: str) -> Share:
        """The share of a new lane."""
        share = self._shares[sender_id] = Share()
        return share

    def close(self, sender_id: str) -> None:
        """The lane has ended."""
        self.left |= self._shares.pop(sender_id, Share()).mails

    def now(self) -> InHand:
        """After a renewal that failed, others had no chance to renew theirs either: for a lease nothing is taken over from them."""
        return InHand(self._mine() | self.left, take_over=asyncio.get_running_loop().time() >= self._alone_until)

    async def make_sure(self, conn: AsyncConnection) -> None:
        """Before anything else is claimed: renew what a renewal that failed left without a lease."""
        if not self._sure:
            await self._renew(conn)

    async def run(self) -> None:
        """Renew for ever: mails, results not written yet, connections, and what counts for a limit."""
        pause = every = self._claimant.lease.total_seconds() / 3
        while True:
            await asyncio.sleep(pause)
            try:
                async with self._engine.begin() as conn:
                    await self._renew(conn)
                self._sure, pause = True, every
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("claims", type(error).__name__).inc()
                log.warning("what is in hand could not be renewed", error=str(error)[:500])
                self._sure, pause = False, min(every, RETRY_S)
                self._alone_until = asyncio.get_running_loop().time() + self._claimant.lease.total_seconds()

    def _mine(self) -> frozenset[str]:
        return self._results.waiting.union(*(share.mails for share in self._shares.values()))

    async def _renew(self, conn: AsyncConnection) -> None:
        ids = self._mine()
        if ids:
            await queue.renew(conn, ids, self._claimant)
            await limits.renew_grants(conn, ids, self._claimant)
        await limits.renew_slots(conn, {sender_id: share.slots for sender_id, share in self._shares.items()}, self._claimant)
