"""One mailbox compared with its ledger, over a connection of its own that changes nothing (EXAMINE)."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.accounts import Accounts
from fetcher.adapters import ledger_check, scanners
from fetcher.adapters.imap.connection import SEARCH_STEP
from fetcher.adapters.imap.errors import MailboxError, explain
from fetcher.adapters.imap.uids import add_uids
from fetcher.adapters.scanners import ScannerRow
from fetcher.check.findings import Findings, gap, unreadable
from fetcher.domain.compare import STEP, Step, bound, step
from fetcher.domain.cursor import FolderState
from fetcher.domain.mails import Box
from fetcher.gate import Gate
from fetcher.mailbox import Mailbox
from shared.api import LedgerFolder
from shared.observability import get_logger
from shared.secrets import SecretUnreadableError

log = get_logger("compare")

MAILBOX_SECONDS = 600.0
"""Longest time for one mailbox: one that hangs or trickles holds up the others' check no longer."""
SECOND_LOOK_S = 2.0
"""A mail in the window may be just under way in a scan: it is looked for once more after this."""
QUEUED_AT_ONCE = 1_000
FOLDERS_NAMED = 10


@dataclass(frozen=True)
class Doors:
    """How a check gets into mailboxes."""

    accounts: Accounts
    gate: Gate
    pool: ThreadPoolExecutor


class Comparing:
    """The mailboxes of one check. What is wrong with one of them is a finding, and stops no other."""

    def __init__(self, engine: AsyncEngine, doors: Doors, findings: Findings, *, repair: bool) -> None:
        self._engine = engine
        self._doors = doors
        self._findings = findings
        self._repair = repair

    async def mailbox(self, scanner: ScannerRow) -> None:
        """All its selected folders. Raises what the database raises."""
        async with self._engine.connect() as conn:
            waiting = await scanners.selected_folders(conn, scanner)
        if not waiting:
            return
        limit = asyncio.timeout(MAILBOX_SECONDS)
        try:
            async with limit:
                await self._folders(scanner, waiting)
        except (DBAPIError, PoolTimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 -- whatever one mailbox does, it is named and stops no other
            why = f"This took longer than {MAILBOX_SECONDS:.0f} s." if limit.expired() else _plain(error, scanner)
            self._findings.add(unreadable(scanner.id, "", f"{why} Not compared: {_listed(list(waiting))}."))
            log.info("mailbox not compared", scanner=scanner.id, error=why)
        self._findings.done += len(waiting)

    async def _folders(self, scanner: ScannerRow, waiting: dict[str, FolderState]) -> None:
        """Those that were compared leave `waiting`."""
        entered = await self._doors.gate.enter(scanner.server)
        mailbox: Mailbox | None = None
        try:
            mailbox = Mailbox(await self._doors.accounts.of(scanner), self._doors.pool)
            await mailbox.ensure_open()
            for name in list(waiting):
                try:
                    await self._folder(scanner, mailbox, name, waiting[name])
                except MailboxError as error:
                    self._findings.add(unreadable(scanner.id, name, str(error)))
                del waiting[name]
                self._findings.done += 1
        finally:
            if mailbox is not None:
                await mailbox.close()
            self._doors.gate.leave(entered)

    async def _folder(self, scanner: ScannerRow, mailbox: Mailbox, name: str, state: FolderState) -> None:
        """First the server's UIDs, then the lines: a mail that is read meanwhile is no gap."""
        opened = await mailbox.select(name, writable=False)
        if state.uid_validity is not None and state.uid_validity != opened.uid_validity:
            raise _RenumberedError(name)
        server: array[int] = array("Q")
        for first in range(1, opened.exists + 1, SEARCH_STEP):
            await mailbox.call(lambda c, first=first: add_uids(c, server, state.start_uid, first, opened.exists))  # type: ignore[misc]  # mypy: default of a lambda
        box = Box(scanner.id, scanner.generation, name, opened.uid_validity)
        lines = gone = gaps = 0
        async for part in self._steps(box, server, state.start_uid):
            lines += len(part.lines)
            gone += part.gone(opened.uid_next)
            gaps += await self._gaps(scanner, box, state, part.missing(state.cursor))
        self._findings.add_folder(LedgerFolder(scanner_id=scanner.id, folder=name, in_mailbox=len(server), in_ledger=lines, gone=gone))
        if gaps and self._repair:
            async with self._engine.begin() as conn:
                await ledger_check.scan_soon(conn, scanner.id)

    async def _steps(self, box: Box, server: Sequence[int], start: int) -> AsyncIterator[Step]:
        after: int | None = start
        while after is not None:
            upper = bound(server, after)
            async with self._engine.connect() as conn:
                lines = await ledger_check.lines_between(conn, box, after, upper, STEP)
            part = step(server, lines, after, upper)
            yield part
            after = part.upper

    async def _gaps(self, scanner: ScannerRow, box: Box, state: FolderState, missing: Sequence[int]) -> int:
        """Name them, and queue them again where that is wanted; returns how many."""
        if missing and missing[-1] > state.low():
            await asyncio.sleep(SECOND_LOOK_S)
        named = 0
        for first in range(0, len(missing), QUEUED_AT_ONCE):
            still = await self._queue(box, missing[first : first + QUEUED_AT_ONCE])
            for uid in still:
                self._findings.add(gap(scanner.id, box.folder, uid, box.mail_id(uid), repaired=self._repair))
            named += len(still)
        return named

    async def _queue(self, box: Box, missing: Sequence[int]) -> list[int]:
        async with self._engine.begin() as conn:
            still = await ledger_check.without_line(conn, box, missing)
            if self._repair and still:
                await ledger_check.queue(conn, box, still)
        return still


class _RenumberedError(MailboxError):
    def __init__(self, folder: str) -> None:
        super().__init__(
            f"The server gave all mails of {folder} new numbers (UIDVALIDITY) since the last scan: the next scan reads the folder anew. "
            "Check again after it."
        )


def _plain(error: Exception, scanner: ScannerRow) -> str:
    return str(error) if isinstance(error, SecretUnreadableError) else explain(error, scanner.server, scanner.port)


def _listed(names: list[str]) -> str:
    more = len(names) - FOLDERS_NAMED
    return ", ".join(names[:FOLDERS_NAMED]) + (f" and {more} more" if more > 0 else "")
