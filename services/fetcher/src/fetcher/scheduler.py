"""Holds this fetcher's share of the mailboxes, one task each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import leases, scanners
from fetcher.adapters.imap.errors import LeaseLostError
from fetcher.adapters.leases import Lease, Membership
from fetcher.adapters.scanners import WAKE_CHANNEL
from fetcher.gate import Gate
from fetcher.scan import Scanning
from fetcher.session import Session
from fetcher.settings import Settings
from shared.database import at_once, listen, make_engine
from shared.messaging.errors import is_unavailable
from shared.observability import MAILBOXES_HELD, RETRIES, get_logger

log = get_logger("scheduler")

TICK_S = 0.5
"""How late a mailbox may be taken. Notifications make Scan now quicker; polling finds what they missed."""
TAKEN_AT_ONCE = 500
AWAY_S = 1.0
FORGET_EVERY = 600
"""Renewals between two removals of old scans."""


class Scheduler:
    """`run()` until cancelled. Any number of processes may run one on the same database."""

    def __init__(self, engine: AsyncEngine, settings: Settings, scanning: Scanning, gate: Gate, name: str) -> None:
        self._engine = engine
        self._at_once = at_once(engine)
        # Leases are renewed and mailboxes taken on connections of their own: hundreds of scans may queue for the others.
        self._own = make_engine(settings.database_url, application=f"fetcher-{settings.instance or 'one'}-leases", pool_size=2)
        self._settings = settings
        self._scanning = scanning
        self._gate = gate
        self._name = name
        self._member: Membership | None = None
        self._share = 0
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[Session, asyncio.Task[None]] = {}
        self._ended: list[Lease] = []
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Ends only by being cancelled; lets go of every mailbox then."""
        listener = asyncio.create_task(listen(self._engine, WAKE_CHANNEL, self._heard))
        renewing = asyncio.create_task(self._keep_renewing())
        try:
            while True:
                self._wake.clear()
                try:
                    await self._tick()
                except Exception as error:  # noqa: BLE001 -- the outermost loop: the database may be away for long
                    await self._away("tick", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):  # `wait_for` may swallow a cancellation
                        await self._wake.wait()
        finally:
            for task in (listener, renewing):
                task.cancel()
            self._let_go(self._tasks)
            await asyncio.gather(listener, renewing, *self._tasks.values(), return_exceptions=True)
            await self._leave()
            await self._own.dispose()

    # --- this fetcher among the others ------------------------------------------------------------------------------------------

    async def _keep_renewing(self) -> None:
        """On time whatever mailboxes do: nothing here waits for one."""
        every = self._settings.lease_seconds / 4
        pause, rounds = every, 0
        while True:
            await asyncio.sleep(pause)
            rounds += 1
            try:
                async with asyncio.timeout(every):
                    await self._renew(forget=rounds % FORGET_EVERY == 1)
                pause = every
            except Exception as error:  # noqa: BLE001 -- leases age meanwhile, and end by themselves
                await self._away("renew", error)
                pause = 0.0
            if self._member is not None and not self._member.holds():
                self._let_go(self._tasks)

    async def _renew(self, *, forget: bool) -> None:
        if self._member is None or self._member.lost:
            return
        async with self._own.begin() as conn:
            await leases.renew(conn, self._member)
        if forget:
            async with self._own.begin() as conn:
                await scanners.forget_scans(conn)

    async def _join(self) -> Membership:
        if self._member is None or self._member.lost:
            self._let_go(self._tasks)
            async with self._own.begin() as conn:
                self._member = await leases.join(conn, self._name, self._settings.lease_seconds)
            log.info("joined", fetcher=self._member.id)
        return self._member

    async def _leave(self) -> None:
        if self._member is not None:
            with contextlib.suppress(Exception):
                async with self._own.begin() as conn:
                    await leases.leave(conn, self._member)

    # --- mailboxes --------------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        member = await self._join()
        ended, self._ended = self._ended, []
        try:
            async with self._own.begin() as conn:
                await leases.reap(conn)
                await leases.release(conn, ended)
                self._share = await leases.fair_share(conn)
                room = self._share - len(self._sessions) if member.holds() else 0
                taken = await leases.take(conn, member, min(TAKEN_AT_ONCE, room))
                wanted = await scanners.wanted_now(conn)
                moves = await scanners.moves_due(conn)
        except BaseException:
            self._ended.extend(ended)
            raise
        for row in taken:
            self._start(Session(row, Lease(row.id, row.lease_token, member), self._at_once, self._scanning, self._gate))
        for scanner_id, session in self._sessions.items():
            if scanner_id in wanted or (scanner_id in moves and session.resting and not session.failing):
                session.wake.set()
        self._give_up_surplus()
        MAILBOXES_HELD.set(len(self._sessions))
        if len(taken) == TAKEN_AT_ONCE:
            self._wake.set()

    def _give_up_surplus(self) -> None:
        """What is above our share goes to fetchers that have less; a mailbox that is being read stays until it is done."""
        staying = [one for one in self._sessions.values() if not one.leaving]
        surplus = len(staying) - self._share
        if surplus > 0:
            chosen = [one for one in staying if one.resting][:surplus]
            log.info("mailboxes are let go for other fetchers", held=len(staying), share=self._share, mailboxes=len(chosen))
            self._let_go(chosen)

    def _start(self, session: Session) -> None:
        """Where a change of settings took the mailbox's lease away, once its earlier session has closed its connection."""
        before = self._sessions.get(session.lease.scanner_id)
        ending = self._tasks.get(before) if before is not None else None
        if before is not None:
            self._let_go([before])
        self._sessions[session.lease.scanner_id] = session
        task = asyncio.create_task(self._run(session, ending), name=f"mailbox {session.lease.scanner_id}")
        self._tasks[session] = task
        task.add_done_callback(lambda _: self._over(session))

    def _let_go(self, sessions: Iterable[Session]) -> None:
        """End their tasks, once: a second cancellation would break off the closing of a connection."""
        for one in sessions:
            if not one.leaving:
                one.leaving = True
                self._tasks[one].cancel()

    async def _run(self, session: Session, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait({before})
            await session.run()
        except LeaseLostError:
            log.info("mailbox is another's now", scanner=session.lease.scanner_id)
        except Exception as error:  # noqa: BLE001 -- one mailbox's task; the mailbox is taken again when it is let go
            await self._away("scan", error)

    def _over(self, session: Session) -> None:
        """However it ended, and if it never began: its lease is released with the next tick, which is now."""
        del self._tasks[session]
        self._ended.append(session.lease)
        if self._sessions.get(session.lease.scanner_id) is session:
            del self._sessions[session.lease.scanner_id]
        self._wake.set()

    def _heard(self, scanner_id: str) -> None:
        """A scanner's id: it changed or shall be scanned now. Empty: mails want to be moved, which no back-off is cut short for."""
        if scanner_id in self._sessions:
            self._sessions[scanner_id].wake.set()
        self._wake.set()

    @staticmethod
    async def _away(what: str, error: Exception) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # psycopg, cancelled while its server goes away, raises what the server did
            raise asyncio.CancelledError from error
        RETRIES.labels(what, type(error).__name__).inc()
        log.warning("retry", what=what, error=str(error)[:300], exc_info=None if is_unavailable(error) else error)
        await asyncio.sleep(AWAY_S)
