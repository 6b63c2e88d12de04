"""One mailbox held by this fetcher: scan, wait for news or for the next time, scan again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import leases, scanners
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.gate import Gate, Pass
from fetcher.push import mode, watch
from fetcher.scan import Done, Held, Scanning
from fetcher.tokens import let_go
from shared.observability import SCAN_LATENESS

KEEP_OPEN_S = 60
"""With a longer interval, and no push, the connection is closed between scans."""


class Session:
    """From a row of `leases.take`; `engine` is one of `at_once`, as all statements here stand alone. `wake` has the mailbox scanned now."""

    def __init__(self, row: Row[Any], lease: Lease, engine: AsyncEngine, scanning: Scanning, gate: Gate) -> None:
        self.lease = lease
        self.wake = asyncio.Event()
        self.resting = True
        """Letting it go now interrupts no scan."""
        self.leaving = False
        self.failing = row.failures > 0
        self._engine = engine
        self._scanning = scanning
        self._gate = gate
        self._server = row.server
        self._due = time.monotonic() + row.wait
        self._held = Held()
        self._pass: Pass | None = None

    async def run(self) -> None:
        """Until another one's settings hold, or the lease is lost. Raises LeaseLostError, or what the database raises."""
        try:
            await self._rest(self._due - time.monotonic())
            while not self.leaving and (scanner := await self._enter()) is not None:
                self.resting = False
                done = await self._scanning.scan(scanner, self._held, self.lease)
                self.resting, self.failing = True, not done.ok
                self._due = time.monotonic() + done.pause
                await self._until_next(scanner, done)
        finally:
            let_go(self.lease.scanner_id)
            await self._close()

    async def _enter(self) -> ScannerRow | None:
        """Wait for a connection to be free, then look at what is to be scanned; None where it is no longer ours to scan.

        In this order: thousands may wait at once, and settings and jobs are read when they are used.
        """
        due = min(self._due, time.monotonic())
        if self._pass is None:
            self._pass = await self._gate.enter(self._server, doubtful=self.failing)
        SCAN_LATENESS.observe(time.monotonic() - due)
        self.lease.check()
        self.wake.clear()
        async with self._engine.connect() as conn:
            scanner = await scanners.opening(conn, self.lease.scanner_id)
        held = scanner is not None and scanner.enabled and scanner.lease_token == self.lease.token
        return scanner if held else None

    async def _until_next(self, scanner: ScannerRow, done: Done) -> None:
        """Wait for news by an open connection, or for the time of the next scan; whoever wants a scan now ends both."""
        pushed = done.ok and scanner.push
        stays = done.ok and (pushed or scanner.interval_seconds <= KEEP_OPEN_S)
        if not stays or self._pass is None or not self._gate.keep(self._pass):
            await self._close()
        mailbox = self._held.mailbox if pushed else None
        watching = "poll" if mailbox is None else await mode(mailbox, done.folders)
        if watching != scanner.watching:
            async with self._engine.begin() as conn:
                await leases.put_watching(conn, self.lease, watching)
        if mailbox is None:
            await self._rest(done.pause)
        else:
            looks = {folder: opened for folder, (opened, _) in self._held.settled.items()}
            await watch(mailbox, done.folders, self.wake, done.pause, looks)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self.wake.wait()

    async def _close(self) -> None:
        try:
            await self._held.close()
        finally:
            if self._pass is not None:
                self._gate.leave(self._pass)
                self._pass = None
