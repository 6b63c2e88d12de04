"""A mailbox's one connection as the event loop sees it: each call runs in a thread, one at a time, with an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection, Opened
from fetcher.adapters.imap.errors import MailboxError
from fetcher.adapters.imap.wire import BoundedImap
from fetcher.gate import Slots
from shared.observability import get_logger

log = get_logger("mailbox")
T = TypeVar("T")

SLOWEST_BYTES_PER_S = 20_000
"""A server that trickles is given up below this rate: a read time-out alone starts anew with each byte."""
MARGIN_S = 5.0
LEND_AFTER_S = 0.5
FRESH_S = 5.0


class Mailbox:
    """Not shared between scans; `close` it. Errors are those of `Connection`."""

    def __init__(
        self,
        account: Account,
        pool: ThreadPoolExecutor,
        make: Callable[[Account], Connection] = Connection,
    ) -> None:
        self.account = account
        self._slots: Slots | None = None
        self._pool = pool
        self._make = make
        self._connection = make(account)
        self._lock = asyncio.Lock()
        self._selected: tuple[str, bool] | None = None
        self._used_at = 0.0
        self.open = False

    @property
    def wire(self) -> BoundedImap:
        """For whoever waits for news between two calls. ConnectionError where it is not open."""
        return self._connection.client.wire

    @asynccontextmanager
    async def working(self, slots: Slots) -> AsyncIterator[None]:
        """Hold a slot; calls within that wait long for the server lend it away."""
        async with slots.slot():
            self._slots = slots
            try:
                yield
            finally:
                self._slots = None

    async def call(self, work: Callable[[Connection], T], *, size: int = 0) -> T:
        """Run `work` in a thread. `size`: bytes expected, which lengthens the patience; far more of them are too many."""
        self._connection.expect(size)
        async with self._lock:
            return await self._within(work, 2 * self.account.read_timeout + size / SLOWEST_BYTES_PER_S)

    async def _within(self, work: Callable[[Connection], T], seconds: float) -> T:
        """By the clock of the event loop, whatever the server sends meanwhile. Who is given up is cut off, which ends the thread."""
        connection = self._connection
        running = asyncio.get_running_loop().run_in_executor(self._pool, work, connection)
        try:
            result = await self._patiently(running, seconds)
        except (TimeoutError, asyncio.CancelledError) as error:
            self.open = False
            connection.abandon()
            running.add_done_callback(_forget)
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"no complete answer within {seconds:.0f} s") from error
            raise
        self._used_at = time.monotonic()
        return result

    async def _patiently(self, running: asyncio.Future[T], seconds: float) -> T:
        """Whoever waits long lends its slot away: a mailbox that hangs holds up no other. To get it back takes nothing of `seconds`."""
        slots = self._slots
        await asyncio.wait({running}, timeout=seconds if slots is None else LEND_AFTER_S)
        if slots is not None and not running.done():
            async with slots.lent():
                await asyncio.wait({running}, timeout=seconds)
                _ended(running)
        _ended(running)
        return running.result()

    async def ensure_open(self) -> None:
        """Connect and sign in, unless the connection of the last scan still lives: one used a moment ago is taken to."""
        if self.open and time.monotonic() - self._used_at < FRESH_S:
            return
        if self.open:
            try:
                await self.call(lambda c: c.noop())
            except Exception as error:  # noqa: BLE001 -- whatever it is, a new connection follows
                log.info("the kept connection was gone", server=self.account.server, error=str(error)[:200])
            else:
                return
        await self.reopen()

    async def reopen(self) -> None:
        """A new connection, with the folder selected that was."""
        await self.close()
        self._connection = self._make(self.account)
        async with self._lock:
            await self._within(lambda c: c.connect(), self.account.connect_timeout + 2 * self.account.read_timeout + MARGIN_S)
        await self.call(lambda c: c.login())
        self.open = True
        if self._selected is not None:
            folder, writable = self._selected
            await self.call(lambda c: c.select(folder, writable=writable))

    async def select(self, folder: str, *, writable: bool) -> Opened:
        """Raises FolderMissingError; MailboxError where the server keeps no UIDVALIDITY."""
        opened = await self.call(lambda c: c.select(folder, writable=writable))
        if not opened.uid_validity:
            raise MailboxError(
                f"The server gives no UIDVALIDITY for the folder {folder}, so mails cannot be told apart: choose another folder"
            )
        self._selected = (folder, writable)
        return opened

    async def close(self) -> None:
        """Never raises; at most a few seconds."""
        self.open = False
        connection = self._connection
        running = asyncio.get_running_loop().run_in_executor(self._pool, connection.close)
        try:
            await asyncio.wait({running}, timeout=MARGIN_S)
        finally:
            if not running.done():
                connection.abandon()

    def forget_folder(self) -> None:
        """The next connection selects nothing by itself."""
        self._selected = None


def _ended(running: asyncio.Future[T]) -> None:
    if not running.done():
        raise TimeoutError


def _forget(future: asyncio.Future[T]) -> None:
    """The thread of a call that was given up ends later; its error interests nobody."""
    if not future.cancelled():
        future.exception()
