"""One scan of a mailbox: its folders in turn, and what its state says afterwards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from fetcher.adapters import leases, ledger, scanners
from fetcher.adapters.imap import Account, Opened
from fetcher.adapters.imap_errors import IMAP_ERRORS, FolderMissingError, LeaseLostError, LoginRefusedError, explain
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.domain.backoff import pause
from fetcher.domain.cursor import FolderState, first_state, renumbered, start_moment
from fetcher.domain.lines import Origin
from fetcher.domain.mails import Box, Listed
from fetcher.domain.parameters import read_parameters
from fetcher.mailbox import Mailbox
from fetcher.poll import LISTED_AT_ONCE, FolderScan, Tools, finish_begun
from fetcher.settings import Settings
from shared.api import SslMethod, SslType
from shared.clock import utc_now
from shared.events import OutcomeType
from shared.messaging.errors import UnavailableError
from shared.observability import SCANS, get_logger
from shared.secrets import KeyRing, SecretUnreadableError

log = get_logger("scan")

AWAY_PAUSE_S = 2.0


def password_place(scanner_id: str) -> str:
    """What a sealed password is bound to."""
    return f"scanner:{scanner_id}:password"


@dataclass
class Counts:
    """Mails found new and mails published."""

    found: int = 0
    read: int = 0


@dataclass
class Held:
    """The connection kept between the scans of one mailbox."""

    mailbox: Mailbox | None = None

    async def close(self) -> None:
        """Sign out, if it is open."""
        if self.mailbox is not None:
            await self.mailbox.close()
            self.mailbox = None


class Scanning:
    """Scans mailboxes; one object per process."""

    def __init__(self, tools: Tools, settings: Settings, keys: KeyRing, pool: ThreadPoolExecutor) -> None:
        self._tools = tools
        self._settings = settings
        self._keys = keys
        self._pool = pool
        self.folder_scan = FolderScan

    def account(self, scanner: ScannerRow) -> Account:
        """How to sign in. Raises SecretUnreadableError."""
        parameters = read_parameters(scanner.parameters)
        password = self._keys.decrypt(scanner.password, password_place(scanner.id)) if scanner.password else ""
        return Account(
            server=scanner.server,
            port=scanner.port,
            username=scanner.username,
            password=password,
            ssl_type=SslType(scanner.ssl_type),
            ssl_method=SslMethod(scanner.ssl_method),
            parameters=parameters,
            connect_timeout=parameters.connect_timeout or self._settings.connect_timeout_seconds,
            read_timeout=parameters.read_timeout or self._settings.read_timeout_seconds,
        )

    async def scan(self, scanner: ScannerRow, held: Held, lease: Lease) -> bool:
        """Scan and note how it went; False when the mailbox should be let go. Raises LeaseLostError, or what the database raises."""
        async with self._tools.engine.begin() as conn:
            await lease.fence(conn)
            jobs = await scanners.begin_jobs(conn, scanner.id)
        counts = Counts()
        try:
            mailbox = held.mailbox = held.mailbox or Mailbox(self.account(scanner), self._pool)
            await self._folders(scanner, mailbox, lease, jobs, counts)
        except (LeaseLostError, DBAPIError, PoolTimeoutError):
            raise
        except UnavailableError as error:
            await self._wait(scanner, lease, error)
            return False
        except Exception as error:  # noqa: BLE001 -- whatever one mailbox does, it is noted there and stops no other
            await self._failed(scanner, lease, jobs, counts, error)
            return False
        await self._succeeded(scanner, lease, jobs, counts)
        return True

    async def _folders(self, scanner: ScannerRow, mailbox: Mailbox, lease: Lease, jobs: Sequence[str], counts: Counts) -> None:
        finished = await finish_begun(self._tools, lease, scanner.id)
        counts.read, counts.found = finished, finished
        mailbox.forget_folder()
        await mailbox.ensure_open()
        async with self._tools.engine.connect() as conn:
            folders = await scanners.selected_folders(conn, scanner)
        alive: dict[str, int] = {}
        missing: FolderMissingError | None = None
        for name, state in folders.items():
            try:
                alive[name] = await self._folder(scanner, mailbox, lease, name, state, jobs, counts)
            except FolderMissingError as error:
                missing = missing or error
        if missing is not None:
            raise missing
        await self._close_lost(scanner, lease, alive)

    async def _folder(
        self, scanner: ScannerRow, mailbox: Mailbox, lease: Lease, name: str, state: FolderState, jobs: Sequence[str], counts: Counts
    ) -> int:
        opened = await mailbox.select(name, writable=scanner.after_scanning == "read")
        if state.uid_validity != opened.uid_validity:
            state = await self._settle(scanner, mailbox, lease, name, state, opened)
        before = replace(counts)

        async def progress(read: int, found: int) -> None:
            counts.read, counts.found = before.read + read, before.found + found
            if jobs:
                async with self._tools.engine.begin() as conn:
                    await scanners.note_progress(conn, jobs, counts.read, counts.found)

        box = Box(scanner.id, scanner.generation, name, opened.uid_validity)
        origin = Origin(address_of(scanner), scanner.pec, scanner.after_scanning == "read", self._settings.max_mail_bytes)
        scan = self.folder_scan(self._tools, mailbox, lease, box, origin, progress)
        await scan.run(state, opened, unread_only=scanner.find == "unread")
        return opened.uid_validity

    async def _settle(
        self, scanner: ScannerRow, mailbox: Mailbox, lease: Lease, name: str, state: FolderState, opened: Opened
    ) -> FolderState:
        """Where reading begins: at the folder's first scan, and when the server gave all its mails new UIDs."""
        last = opened.uid_next - 1
        if state.uid_validity is None:
            moment = start_moment(scanner.start_from, state.added_at or utc_now())
            first = await self._first_since(mailbox, moment) if scanner.start_from == "now" and moment else None
            state = first_state(scanner.start_from, opened.uid_validity, last, first, moment)
        else:
            log.warning("UIDVALIDITY changed: the folder is read again", scanner=scanner.id, folder=name)
            state = renumbered(state, opened.uid_validity, last)
        async with self._tools.engine.begin() as conn:
            await lease.fence(conn)
            await scanners.put_state(conn, scanner, name, state)
        return state

    @staticmethod
    async def _first_since(mailbox: Mailbox, moment: datetime) -> int | None:
        """The first UID that came at `moment` or later: mails that wait since the mailbox was added are not lost by a late first scan."""
        # The server's calendar may be a day behind ours.
        uids = await mailbox.call(lambda c: c.search_since(moment.date() - timedelta(days=1)))
        for first in range(0, len(uids), LISTED_AT_ONCE):
            chosen = uids[first : first + LISTED_AT_ONCE]
            listed: list[Listed] = await mailbox.call(lambda c, chosen=chosen: c.details(chosen))  # type: ignore[misc]  # as in poll
            for one in listed:
                if one.received_at >= moment:
                    return one.uid
        return None

    async def _close_lost(self, scanner: ScannerRow, lease: Lease, alive: dict[str, int]) -> None:
        """Lines begun in a folder that is read no more, or in an earlier life of it: their mails cannot be fetched any more."""
        async with self._tools.engine.begin() as conn:
            await lease.fence(conn)
            lost = await ledger.lost_places(conn, scanner.id, scanner.generation, alive)
            await ledger.finish(conn, lost, OutcomeType.GONE.value, "its folder was renumbered or is read no more before it could be read")

    async def _succeeded(self, scanner: ScannerRow, lease: Lease, jobs: Sequence[str], counts: Counts) -> None:
        SCANS.labels("ok").inc()
        if counts.read:
            log.info("scanned", scanner=scanner.id, found=counts.found, read=counts.read)
        async with self._tools.engine.begin() as conn:
            await leases.put_result(conn, lease, None, float(scanner.interval_seconds))
            await scanners.end_jobs(conn, jobs, "done", vars(counts))

    async def _wait(self, scanner: ScannerRow, lease: Lease, error: UnavailableError) -> None:
        """Something of ours is away: no fault of the mailbox, so it is tried again soon; open jobs go on then."""
        SCANS.labels("away").inc()
        log.warning("scan waits", scanner=scanner.id, error=str(error)[:300])
        text = f"Nothing is wrong with the mailbox; the fetcher waits for its own servers and goes on by itself: {error}"
        async with self._tools.engine.begin() as conn:
            await leases.put_result(conn, lease, text[:500], AWAY_PAUSE_S)

    async def _failed(self, scanner: ScannerRow, lease: Lease, jobs: Sequence[str], counts: Counts, error: Exception) -> None:
        SCANS.labels("failed").inc()
        text = str(error) if isinstance(error, SecretUnreadableError) else explain(error, scanner.server, scanner.port)
        login = isinstance(error, LoginRefusedError) and error.login
        seconds = pause(scanner.failures + 1, login=login, jitter=random.random())  # noqa: S311 -- jitter, no secret
        expected = isinstance(error, IMAP_ERRORS)
        log.warning("scan failed", scanner=scanner.id, error=text, seconds=round(seconds), exc_info=None if expected else error)
        async with self._tools.engine.begin() as conn:
            await leases.put_result(conn, lease, text, seconds)
            await scanners.end_jobs(conn, jobs, "failed", vars(counts) | {"error": text})


def address_of(scanner: ScannerRow) -> str:
    """The mailbox's own address: as set, else the user name where that is one."""
    return str(scanner.address or (scanner.username if "@" in scanner.username else ""))
