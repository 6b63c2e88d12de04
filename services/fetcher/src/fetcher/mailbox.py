"""A mailbox's one connection as the event loop sees it: each call runs in a thread, one at a time, with an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from fetcher.adapters.imap import Connection, Opened
from fetcher.adapters.imap_account import Account
from fetcher.adapters.imap_errors import MailboxError
from fetcher.gate import Slots
from shared.observability import get_logger

log = get_logger("mailbox")
T = TypeVar("T")

SLOWEST_BYTES_PER_S = 20_000
"""A server that trickles is given up below this rate: a read time-out alone starts anew with each byte."""
MARGIN_S = 5.0
LEND_AFTER_S = 0.5


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
        self.open = False

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
        """Run `work` in a thread. `size`: bytes expected, which lengthens the patience."""
        async with self._lock:
            return await self._within(work, 2 * self.account.read_timeout + size / SLOWEST_BYTES_PER_S)

    async def _within(self, work: Callable[[Connection], T], seconds: float) -> T:
        connection = self._connection
        running = asyncio.get_running_loop().run_in_executor(self._pool, work, connection)
        try:
            return await asyncio.wait_for(self._patiently(running), seconds)
        except (TimeoutError, asyncio.CancelledError) as error:
            self.open = False
            connection.abandon()
            running.add_done_callback(_forget)
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"no complete answer within {seconds:.0f} s") from error
            raise

    async def _patiently(self, running: asyncio.Future[T]) -> T:
        """Whoever waits long lends its slot away: a mailbox that hangs holds up no other."""
        slots = self._slots
        if slots is not None:
            await asyncio.wait({running}, timeout=LEND_AFTER_S)
            if not running.done():
                async with slots.lent():
                    await asyncio.wait({running})
        return await asyncio.shield(running)

    async def ensure_open(self) -> None:
        """Connect and sign in, unless the connection of the last scan still lives."""
        if self.open:
            try:
                await self.call(Connection.noop)
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
            await self._within(Connection.connect, self.account.connect_timeout + 2 * self.account.read_timeout + MARGIN_S)
        await self.call(Connection.login)
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
            await asyncio.wait_for(asyncio.shield(running), MARGIN_S)
        except TimeoutError:
            connection.abandon()

    def forget_folder(self) -> None:
        """The next connection selects nothing by itself."""
        self._selected = None


def _forget(future: asyncio.Future[T]) -> None:
    """The thread of a call that was given up ends later; its error interests nobody."""
    if not future.cancelled():
        future.exception()
