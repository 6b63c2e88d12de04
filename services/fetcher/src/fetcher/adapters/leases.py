"""Leases on mailboxes: a mailbox's connection, cursor and back-off belong to one fetcher at a time.

A lease expires by the database's clock. Its holder counts by its own monotonic clock and stops at two thirds, so that it has
stopped before anybody else may begin. The token fences what a frozen holder still writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.imap_errors import LeaseLostError
from fetcher.adapters.tables import JOBS, SCANNERS

SAFE_PART = 2 / 3


@dataclass
class Lease:
    """One mailbox, held. `renewed_at` is the monotonic time just before the database confirmed it."""

    scanner_id: str
    token: int
    seconds: float
    renewed_at: float
    lost: bool = False
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def check(self) -> None:
        """Before each publication and each write to the mailbox. Raises LeaseLostError."""
        if self.lost or self.clock() - self.renewed_at > self.seconds * SAFE_PART:
            self.lost = True
            raise LeaseLostError(self.scanner_id)

    async def fence(self, conn: AsyncConnection) -> None:
        """In a transaction: nobody takes the lease before it ends. Raises LeaseLostError where somebody has."""
        self.check()
        mine = select(SCANNERS.c.id).where(SCANNERS.c.id == self.scanner_id, SCANNERS.c.lease_token == self.token)
        if (await conn.execute(mine.with_for_update(read=True))).first() is None:
            self.lost = True
            raise LeaseLostError(self.scanner_id)


def _seconds(value: float) -> Any:
    return func.make_interval(0, 0, 0, 0, 0, 0, value)


async def take(conn: AsyncConnection, holder: str, seconds: float, limit: int) -> list[Lease]:
    """Lease the mailboxes that are due and free, longest due first."""
    now = time.monotonic()
    free = or_(SCANNERS.c.lease_until.is_(None), SCANNERS.c.lease_until < func.now())
    due = select(SCANNERS.c.id).where(SCANNERS.c.enabled, SCANNERS.c.next_scan_at <= func.now(), free)
    due = due.order_by(SCANNERS.c.next_scan_at).limit(limit).with_for_update(skip_locked=True)
    values = {"lease_holder": holder, "lease_token": SCANNERS.c.lease_token + 1, "lease_until": func.now() + _seconds(seconds)}
    taken = update(SCANNERS).where(SCANNERS.c.id.in_(due.scalar_subquery())).values(values)
    rows = await conn.execute(taken.returning(SCANNERS.c.id, SCANNERS.c.lease_token))
    return [Lease(row.id, row.lease_token, seconds, now) for row in rows]


async def renew(conn: AsyncConnection, leases: Sequence[Lease]) -> None:
    """Renew all; those that are another's by now are marked lost."""
    if not leases:
        return
    now = time.monotonic()
    pairs = {"ids": [one.scanner_id for one in leases], "tokens": [one.token for one in leases], "seconds": leases[0].seconds}
    kept = {row.id for row in await conn.execute(_RENEW, pairs)}
    for one in leases:
        if one.scanner_id in kept:
            one.renewed_at = now
        else:
            one.lost = True


_RENEW = text(
    """
    update scanners s set lease_until = now() + make_interval(secs => :seconds)
    from unnest(cast(:ids as text[]), cast(:tokens as bigint[])) as mine(id, token)
    where s.id = mine.id and s.lease_token = mine.token
    returning s.id
    """
)


async def release(conn: AsyncConnection, lease: Lease) -> None:
    """Let go, if it is still ours."""
    mine = and_(SCANNERS.c.id == lease.scanner_id, SCANNERS.c.lease_token == lease.token)
    await conn.execute(update(SCANNERS).where(mine).values(lease_until=None, lease_holder=None))


async def wanted_now(conn: AsyncConnection, scanner_ids: Sequence[str]) -> list[str]:
    """Of the mailboxes held, those somebody wants scanned now: a job waits."""
    queued = select(JOBS.c.scanner_id).where(JOBS.c.state == "queued", JOBS.c.scanner_id.in_(scanner_ids)).distinct()
    return [row.scanner_id for row in await conn.execute(queued)]


async def put_result(conn: AsyncConnection, lease: Lease, error: str | None, pause: float) -> None:
    """The scan's end in the scanner's state; `error` None is success. `pause`: seconds until the next."""
    mine = and_(SCANNERS.c.id == lease.scanner_id, SCANNERS.c.lease_token == lease.token)
    values: dict[str, Any] = {"last_scan_at": func.now(), "next_scan_at": func.now() + _seconds(pause), "last_error": error}
    values |= {"failures": 0, "last_success_at": func.now()} if error is None else {"failures": SCANNERS.c.failures + 1}
    await conn.execute(update(SCANNERS).where(mine).values(values))
