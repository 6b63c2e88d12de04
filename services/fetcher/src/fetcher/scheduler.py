"""Holds this fetcher's share of the mailboxes, one task each: scan, wait for news or for the next time, scan again."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import leases, scanners
from fetcher.adapters.imap_errors import LeaseLostError
from fetcher.adapters.leases import Lease, Membership
from fetcher.adapters.scanners import WAKE_CHANNEL, ScannerRow
from fetcher.gate import Gate, Pass
from fetcher.push import watch
from fetcher.scan import Done, Held, Scanning
from fetcher.settings import Settings
from shared.database import listen
from shared.messaging.errors import is_unavailable
from shared.observability import MAILBOXES_HELD, RETRIES, get_logger

log = get_logger("scheduler")

TICK_S = 0.5
"""How late a mailbox may be taken. Notifications make Scan now quicker; polling finds what they missed."""
TAKEN_AT_ONCE = 500
AWAY_S = 1.0
KEEP_OPEN_S = 60
"""With a longer interval, and no push, the connection is closed between scans."""
FORGET_EVERY = 600
"""Renewals between two removals of old scans."""


@dataclass(eq=False)
class Session:
    """One mailbox held by this process."""

    lease: Lease
    wait: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    held: Held = field(default_factory=Held)
    entered: Pass | None = None
    resting: bool = True
    failing: bool = False
    task: asyncio.Task[None] | None = None


class Scheduler:
    """`run()` until cancelled. Any number of processes may run one on the same database."""

    def __init__(self, engine: AsyncEngine, settings: Settings, scanning: Scanning, gate: Gate, name: str) -> None:
        self._engine = engine
        self._settings = settings
        self._scanning = scanning
        self._gate = gate
        self._name = name
        self._member: Membership | None = None
        self._share = 0
        self._sessions: dict[str, Session] = {}
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
                    await asyncio.wait_for(self._wake.wait(), TICK_S)
        finally:
            for task in (listener, renewing):
                task.cancel()
            await asyncio.gather(listener, renewing, return_exceptions=True)
            await self._stop(list(self._sessions.values()))
            await self._leave()

    # --- this fetcher among the others ------------------------------------------------------------------------------------------

    async def _keep_renewing(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 4)
            rounds += 1
            try:
                await self._renew(forget=rounds % FORGET_EVERY == 1)
            except Exception as error:  # noqa: BLE001 -- leases age meanwhile, and end by themselves
                await self._away("renew", error)
            if self._member is not None and not self._member.holds():
                await self._stop(list(self._sessions.values()))

    async def _renew(self, *, forget: bool) -> None:
        if self._member is None or self._member.lost:
            return
        async with self._engine.begin() as conn:
            await leases.renew(conn, self._member)
            if forget:
                await scanners.forget_scans(conn)

    async def _give_up_surplus(self) -> None:
        """What is above our share goes to fetchers that have less; a mailbox that is being read stays until it is done."""
        surplus = len(self._sessions) - self._share
        if surplus > 0:
            resting = [one for one in self._sessions.values() if one.resting]
            chosen = resting[:surplus]
            log.info("mailboxes are let go for other fetchers", held=len(self._sessions), share=self._share, mailboxes=len(chosen))
            await self._stop(chosen)

    async def _join(self) -> Membership:
        if self._member is None or self._member.lost:
            await self._stop(list(self._sessions.values()))
            self._ended.clear()
            async with self._engine.begin() as conn:
                self._member = await leases.join(conn, self._name, self._settings.lease_seconds)
            log.info("joined", fetcher=self._member.id)
        return self._member

    async def _leave(self) -> None:
        if self._member is not None:
            with contextlib.suppress(Exception):
                async with self._engine.begin() as conn:
                    await leases.leave(conn, self._member)

    # --- mailboxes --------------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        member = await self._join()
        ended, self._ended = self._ended, []
        try:
            async with self._engine.begin() as conn:
                await leases.release(conn, ended)
                self._share = await leases.fair_share(conn)
                taken = await leases.take(conn, member, min(TAKEN_AT_ONCE, self._share - len(self._sessions)))
                wanted = await scanners.wanted_now(conn)
                moves = await scanners.moves_due(conn)
        except BaseException:
            self._ended.extend(ended)
            raise
        for row in taken:
            await self._start(Session(Lease(row.id, row.lease_token, member), row.wait))
        for scanner_id, session in self._sessions.items():
            if scanner_id in wanted or (scanner_id in moves and session.resting and not session.failing):
                session.wake.set()
        await self._give_up_surplus()
        MAILBOXES_HELD.set(len(self._sessions))
        if self._ended or len(taken) == TAKEN_AT_ONCE:
            self._wake.set()

    async def _start(self, session: Session) -> None:
        before = self._sessions.get(session.lease.scanner_id)
        if before is not None:  # its lease was taken away by a change of settings
            await self._stop([before])
        self._sessions[session.lease.scanner_id] = session
        session.task = asyncio.create_task(self._run(session), name=f"mailbox {session.lease.scanner_id}")

    async def _stop(self, sessions: list[Session]) -> None:
        """End their tasks; their leases are released with the next tick."""
        tasks = [one.task for one in sessions if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, session: Session) -> None:
        try:
            await self._rest(session, session.wait)
            await self._serve(session)
        except LeaseLostError:
            log.info("mailbox is another's now", scanner=session.lease.scanner_id)
        except Exception as error:  # noqa: BLE001 -- one mailbox's task; the mailbox is taken again when it is let go
            await self._away("scan", error)
        finally:
            await self._close(session)
            self._ended.append(session.lease)
            if self._sessions.get(session.lease.scanner_id) is session:
                del self._sessions[session.lease.scanner_id]

    async def _serve(self, session: Session) -> None:
        while True:
            session.lease.check()
            session.wake.clear()
            async with self._engine.connect() as conn:
                scanner = await scanners.opening(conn, session.lease.scanner_id)
            if scanner is None or not scanner.enabled or scanner.lease_token != session.lease.token:
                return
            session.resting = False
            done = await self._scan(session, scanner)
            session.resting, session.failing = True, not done.ok
            await self._until_next(session, scanner, done)

    async def _scan(self, session: Session, scanner: ScannerRow) -> Done:
        if session.entered is None:
            session.entered = await self._gate.enter(scanner.server)
        return await self._scanning.scan(scanner, session.held, session.lease)

    async def _until_next(self, session: Session, scanner: ScannerRow, done: Done) -> None:
        """Wait for news by an open connection, or for the time of the next scan; whoever wants a scan now ends both."""
        pushed = done.ok and scanner.push
        stays = done.ok and (pushed or scanner.interval_seconds <= KEEP_OPEN_S)
        if not stays or session.entered is None or not self._gate.keep(session.entered):
            await self._close(session)
        if pushed and session.held.mailbox is not None:
            await watch(session.held.mailbox, done.folders, session.wake, done.pause)
        else:
            await self._rest(session, done.pause)

    @staticmethod
    async def _rest(session: Session, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.wake.wait(), seconds)

    async def _close(self, session: Session) -> None:
        await session.held.close()
        session.held.settled.clear()
        if session.entered is not None:
            self._gate.leave(session.entered)
            session.entered = None

    def _heard(self, scanner_id: str) -> None:
        """A scanner's id: it changed or shall be scanned now. Empty: mails want to be moved, which no back-off is cut short for."""
        if scanner_id in self._sessions:
            self._sessions[scanner_id].wake.set()
        self._wake.set()

    @staticmethod
    async def _away(what: str, error: Exception) -> None:
        RETRIES.labels(what, type(error).__name__).inc()
        log.warning("retry", what=what, error=str(error)[:300], exc_info=None if is_unavailable(error) else error)
        await asyncio.sleep(AWAY_S)
