"""Leases on mailboxes: a mailbox's connections, cursors and back-off belong to one fetcher at a time.

A fetcher renews one row, whose time is that of all its leases: ten thousand mailboxes cost no more writes than one. The row
expires by the database's clock; its owner counts by its own monotonic clock and stops at two thirds, so that it has stopped before
anybody else may begin. Each mailbox has a token besides, which fences what a frozen holder still writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, and_, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.imap.errors import LeaseLostError
from fetcher.adapters.tables import FETCHERS, SCANNERS

SAFE_PART = 2 / 3


@dataclass
class Membership:
    """This fetcher among the others. `renewed_at` is the monotonic time just before the database confirmed it."""

    id: str
    seconds: float
    renewed_at: float
    lost: bool = False
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def holds(self) -> bool:
        """Whether its leases are surely its own at this moment."""
        return not self.lost and self.clock() - self.renewed_at <= self.seconds * SAFE_PART


@dataclass
class Lease:
    """One mailbox, held."""

    scanner_id: str
    token: int
    membership: Membership
    lost: bool = False

    def check(self) -> None:
        """Before each publication and each write to the mailbox. Raises LeaseLostError."""
        if self.lost or not self.membership.holds():
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


# --- fetchers -------------------------------------------------------------------------------------------------------------------


async def join(conn: AsyncConnection, name: str, seconds: float) -> Membership:
    """A new life of a fetcher. Its id is never used again, so that what an earlier life left behind is nobody's."""
    now = time.monotonic()
    member = f"{name[:80]}-{uuid4().hex[:12]}"
    await conn.execute(insert(FETCHERS).values(id=member, until=func.now() + _seconds(seconds)))
    return Membership(member, seconds, now)


async def renew(conn: AsyncConnection, membership: Membership) -> None:
    """Renew all leases at once. Where they had ended already, the membership is lost: join anew."""
    now = time.monotonic()
    alive = and_(FETCHERS.c.id == membership.id, FETCHERS.c.until > func.now())
    renewed = update(FETCHERS).where(alive).values(until=func.now() + _seconds(membership.seconds))
    if (await conn.execute(renewed.returning(FETCHERS.c.id))).first() is None:
        membership.lost = True
    else:
        membership.renewed_at = now


async def leave(conn: AsyncConnection, membership: Membership) -> None:
    """Let go of everything at once, for the others to take."""
    membership.lost = True
    await conn.execute(FETCHERS.delete().where(FETCHERS.c.id == membership.id))
    await conn.execute(update(SCANNERS).where(SCANNERS.c.lease_holder == membership.id).values(lease_holder=None, watching=None))


async def fair_share(conn: AsyncConnection) -> int:
    """How many mailboxes each fetcher alive should hold, rounded up."""
    row = (await conn.execute(_FAIR_SHARE)).one()
    return -(-int(row.mailboxes) // max(1, int(row.fetchers)))


_FAIR_SHARE = text(
    "select (select count(*) from scanners where enabled) as mailboxes, (select count(*) from fetchers where until > now()) as fetchers"
)


# --- mailboxes ------------------------------------------------------------------------------------------------------------------


async def reap(conn: AsyncConnection) -> None:
    """Free the mailboxes of fetchers whose time has ended. First in a transaction: it locks rows of `fetchers`, then scanners."""
    await conn.execute(_REAP)


async def take(conn: AsyncConnection, membership: Membership, limit: int) -> list[Row[Any]]:
    """Lease free mailboxes, longest due first; nothing where our own time has ended.

    Rows (id, lease_token, server, failures, wait), `wait` being seconds until the next scan is due, below 0 where it is overdue.
    """
    if limit <= 0:
        return []
    return list((await conn.execute(_TAKE, {"me": membership.id, "limit": limit})).all())


_REAP = text(
    """
    with dead as (delete from fetchers where until < now() returning id)
    update scanners set lease_holder = null, watching = null where lease_holder in (select id from dead)
    """
)
_TAKE = text(
    """
    with me as (select id from fetchers where id = :me and until > now() for share),
    free as (
        select id from scanners where enabled and lease_holder is null and exists (select from me)
        order by next_scan_at limit :limit for update skip locked
    )
    update scanners s set lease_holder = :me, lease_token = s.lease_token + 1
    from free where s.id = free.id
    returning s.id, s.lease_token, s.server, s.failures, extract(epoch from s.next_scan_at - now())::float8 as wait
    """
)


async def release(conn: AsyncConnection, leases: Sequence[Lease]) -> None:
    """Let go of those that are still ours."""
    if leases:
        pairs = {"ids": [one.scanner_id for one in leases], "tokens": [one.token for one in leases]}
        await conn.execute(_RELEASE, pairs)


_RELEASE = text(
    """
    update scanners s set lease_holder = null, watching = null
    from unnest(cast(:ids as text[]), cast(:tokens as bigint[])) as mine(id, token)
    where s.id = mine.id and s.lease_token = mine.token
    """
)


async def put_result(conn: AsyncConnection, lease: Lease, error: str | None, pause: float, *, failed: bool = True, **state: Any) -> None:
    """The scan's end in the scanner's state. `pause`: seconds until the next. `state`: further columns.

    `error` None is success. A scan may have something to tell without having failed: a folder is missing, the others were read.
    """
    mine = and_(SCANNERS.c.id == lease.scanner_id, SCANNERS.c.lease_token == lease.token)
    values: dict[str, Any] = {"last_scan_at": func.now(), "next_scan_at": func.now() + _seconds(pause), "last_error": error}
    values["failures"] = SCANNERS.c.failures + 1 if failed else 0
    if error is None:
        values["last_success_at"] = func.now()
    await conn.execute(update(SCANNERS).where(mine).values(values | state))


async def put_nothing_new(conn: AsyncConnection, lease: Lease, pause: float) -> None:
    """As `put_result` for a scan that found nothing, which is nearly all of them: the commit does not wait for the disk.

    A crash of the database at worst forgets that the mailbox was looked at.
    """
    await conn.execute(_PUT_NOTHING_NEW, {"id": lease.scanner_id, "token": lease.token, "pause": pause})


_PUT_NOTHING_NEW = text(
    """
    update scanners set last_scan_at = now(), last_success_at = now(), next_scan_at = now() + make_interval(secs => :pause),
        last_error = null, failures = 0, backlog = 0
    from (select set_config('synchronous_commit', 'off', true)) as quickly
    where id = :id and lease_token = :token
    """
)


async def put_watching(conn: AsyncConnection, lease: Lease, watching: str) -> None:
    """How the holder hears of new mails: push or poll."""
    await conn.execute(_PUT_WATCHING, {"id": lease.scanner_id, "token": lease.token, "watching": watching})


_PUT_WATCHING = text(
    """
    update scanners set watching = :watching from (select set_config('synchronous_commit', 'off', true)) as quickly
    where id = :id and lease_token = :token
    """
)
