"""Takes mailboxes that are due, one task each, and keeps their leases."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import leases, scanners
from fetcher.adapters.imap_errors import LeaseLostError
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import WAKE_CHANNEL, ScannerRow
from fetcher.scan import Held, Scanning
from fetcher.settings import Settings
from shared.database import listen
from shared.messaging.errors import is_unavailable
from shared.observability import RETRIES, get_logger

log = get_logger("scheduler")

TICK_S = 0.5
"""How late a scan may begin. Notifications make Scan now quicker; polling finds what they missed."""
AWAY_S = 1.0
KEEP_OPEN_S = 60
"""With a longer interval the connection is closed between scans."""


@dataclass
class Session:
    """One mailbox held by this process."""

    lease: Lease
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    held: Held = field(default_factory=Held)
    task: asyncio.Task[None] | None = None


class Scheduler:
    """`run()` until cancelled. Any number of processes may run one on the same database."""

    def __init__(self, engine: AsyncEngine, settings: Settings, scanning: Scanning, holder: str) -> None:
        self._engine = engine
        self._settings = settings
        self._scanning = scanning
        self._holder = holder
        self._slots = asyncio.Semaphore(settings.max_scans)
        self._sessions: dict[str, Session] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Ends only by being cancelled; lets go of every mailbox then."""
        helpers = [asyncio.create_task(listen(self._engine, WAKE_CHANNEL, self._heard)), asyncio.create_task(self._renew())]
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
            tasks = [*helpers, *(one.task for one in self._sessions.values() if one.task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tick(self) -> None:
        free = self._settings.max_connections - len(self._sessions)
        async with self._engine.begin() as conn:
            taken = await leases.take(conn, self._holder, self._settings.lease_seconds, free) if free > 0 else []
            wanted = await leases.wanted_now(conn, list(self._sessions)) if self._sessions else []
        for lease in taken:
            await self._start(lease)
        for scanner_id in wanted:
            self._sessions[scanner_id].wake.set()

    async def _start(self, lease: Lease) -> None:
        before = self._sessions.get(lease.scanner_id)
        if before is not None and before.task is not None:  # its lease was taken away by a change of settings
            before.task.cancel()
            await asyncio.gather(before.task, return_exceptions=True)
        session = Session(lease)
        self._sessions[lease.scanner_id] = session
        session.task = asyncio.create_task(self._run(session), name=f"mailbox {lease.scanner_id}")

    async def _run(self, session: Session) -> None:
        try:
            await self._scan_while_held(session)
        except LeaseLostError:
            log.info("mailbox is another's now", scanner=session.lease.scanner_id)
        except Exception as error:  # noqa: BLE001 -- one mailbox's task; the mailbox is due again when its lease ends
            await self._away("scan", error)
        finally:
            await session.held.close()
            if self._sessions.get(session.lease.scanner_id) is session:
                del self._sessions[session.lease.scanner_id]
            with contextlib.suppress(Exception):
                async with self._engine.begin() as conn:
                    await leases.release(conn, session.lease)

    async def _scan_while_held(self, session: Session) -> None:
        since = time.monotonic()
        while True:
            session.lease.check()
            session.wake.clear()
            async with self._engine.connect() as conn:
                scanner = await scanners.get(conn, session.lease.scanner_id)
            if scanner is None or not scanner.enabled or scanner.lease_token != session.lease.token:
                return
            async with self._slots:
                kept = await self._scanning.scan(scanner, session.held, session.lease)
            if not kept or not self._keeps(scanner, since):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(session.wake.wait(), scanner.interval_seconds)

    def _keeps(self, scanner: ScannerRow, since: float) -> bool:
        """Keep short-interval mailboxes a while: signing in costs more than looking. Then others get their chance."""
        return scanner.interval_seconds <= KEEP_OPEN_S and time.monotonic() - since < self._settings.hold_seconds

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 4)
            held = [one.lease for one in self._sessions.values()]
            try:
                async with self._engine.begin() as conn:
                    await leases.renew(conn, held)
            except Exception as error:  # noqa: BLE001 -- leases age meanwhile, and end by themselves
                await self._away("renew", error)
            for session in self._sessions.values():
                if session.lease.lost and session.task is not None:
                    session.task.cancel()

    def _heard(self, scanner_id: str) -> None:
        if scanner_id in self._sessions:
            self._sessions[scanner_id].wake.set()
        self._wake.set()

    @staticmethod
    async def _away(what: str, error: Exception) -> None:
        RETRIES.labels(what, type(error).__name__).inc()
        log.warning("retry", what=what, error=str(error)[:300], exc_info=None if is_unavailable(error) else error)
        await asyncio.sleep(AWAY_S)
