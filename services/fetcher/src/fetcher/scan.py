"""One scan of a mailbox: what was left over, its folders in turn, and what its state says afterwards."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from fetcher.accounts import Accounts, address_of
from fetcher.adapters import leases, ledger, scanners
from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection, Opened
from fetcher.adapters.imap.errors import IMAP_ERRORS, FolderMissingError, LeaseLostError, TokenRefusedError, explain, needs_somebody
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.begun import finish_begun
from fetcher.chores import Carrier
from fetcher.domain.backoff import pause
from fetcher.domain.cursor import FolderState
from fetcher.domain.lines import Origin
from fetcher.domain.mails import Box
from fetcher.mailbox import Mailbox
from fetcher.poll import FolderScan, Tools
from fetcher.settings import Settings
from fetcher.settle import settle
from shared.database import at_once
from shared.events import OutcomeType
from shared.messaging.errors import UnavailableError
from shared.observability import SCANS, get_logger
from shared.secrets import SecretUnreadableError

log = get_logger("scan")

AWAY_PAUSE_S = 2.0
NOTE_EVERY_S = 0.5
"""How often progress is written down."""
LOOK_ANYWAY_S = 300.0
"""A folder whose UIDNEXT and number of mails did not change is searched all the same this often: servers have been wrong."""


@dataclass
class Counts:
    """Mails found new and mails published; `problems` are folders that cannot be read."""

    found: int = 0
    read: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Held:
    """The connection kept between the scans of one mailbox, and how its folders looked when nothing new was left in them."""

    mailbox: Mailbox | None = None
    settled: dict[str, tuple[Opened, float]] = field(default_factory=dict)

    async def close(self) -> None:
        """Sign out, if it is open."""
        if self.mailbox is not None:
            await self.mailbox.close()
            self.mailbox = None


@dataclass(frozen=True)
class Done:
    """How a scan ended: whether its connection is good for another, and seconds until then."""

    ok: bool
    pause: float
    folders: tuple[str, ...] = ()
    """Folders that could be read."""


@dataclass
class Scan:
    """One scan under way."""

    scanner: ScannerRow
    lease: Lease
    held: Held
    jobs: Sequence[str]
    counts: Counts = field(default_factory=Counts)
    began: float = field(default_factory=time.monotonic)
    noted: float = 0.0


class Scanning:
    """Scans mailboxes; one object per process."""

    def __init__(self, tools: Tools, settings: Settings, accounts: Accounts, pool: ThreadPoolExecutor) -> None:
        self._tools = tools
        self._at_once = at_once(tools.engine)
        self._settings = settings
        self._accounts = accounts
        self._pool = pool
        self.folder_scan = FolderScan
        self.carrier = Carrier
        self.connection: Callable[[Account], Connection] = Connection

    async def scan(self, scanner: ScannerRow, held: Held, lease: Lease) -> Done:
        """Scan and note how it went. `scanner` is a row of `scanners.opening`. Raises LeaseLostError, or what the database raises."""
        lease.check()
        scan = Scan(scanner, lease, held, await self._begin_jobs(scanner, lease))
        try:
            mailbox = await self._open(scan)
            async with mailbox.working(self._tools.slots):
                read = await self._read(scan, mailbox)
        except (LeaseLostError, DBAPIError, PoolTimeoutError):
            raise
        except UnavailableError as error:
            return await self._wait(scan, error)
        except Exception as error:  # noqa: BLE001 -- whatever one mailbox does, it is noted there and stops no other
            return await self._failed(scan, error)
        return await self._succeeded(scan, read)

    async def _begin_jobs(self, scanner: ScannerRow, lease: Lease) -> Sequence[str]:
        if not scanner.has_jobs:
            return []
        async with self._tools.engine.begin() as conn:
            await lease.fence(conn)
            return await scanners.begin_jobs(conn, scanner.id)

    async def _open(self, scan: Scan) -> Mailbox:
        """Signed in. Without a slot: whoever waits for a greeting does no work yet, and may wait for nothing."""
        scanner, held = scan.scanner, scan.held
        if scanner.has_begun:
            async with self._tools.slots.slot():
                scan.counts.read = scan.counts.found = await finish_begun(self._tools, scan.lease, scanner.id)
        account = await self._accounts.of(scanner, scan.lease)
        mailbox = held.mailbox = held.mailbox or Mailbox(account, self._pool, self.connection)
        mailbox.account = account
        mailbox.forget_folder()
        try:
            await mailbox.ensure_open()
        except TokenRefusedError as error:
            if not error.token:
                raise
            mailbox.account = await self._accounts.of(scanner, scan.lease, refused=account.access_token)  # it may have been revoked
            await mailbox.reopen()
        return mailbox

    async def _read(self, scan: Scan, mailbox: Mailbox) -> dict[str, int]:
        """All of it; returns the UIDVALIDITY of each folder that could be read."""
        scanner = scan.scanner
        if scanner.has_moves:
            await self.carrier(self._tools, mailbox, scan.lease, scanner).run()
        folders = scanners.folders_of(scanner)
        alive: dict[str, int] = {}
        for name, state in folders.items():
            try:
                alive[name] = await self._folder(scan, mailbox, name, state)
            except FolderMissingError as error:
                await self._missing(scan, mailbox, name, folders, error)
        if scanner.has_begun:
            await self._close_lost(scan, alive)
        return alive

    async def _folder(self, scan: Scan, mailbox: Mailbox, name: str, state: FolderState) -> int:
        scanner, counts = scan.scanner, scan.counts
        mark_read = scanner.after_scanning == "read"
        opened = await mailbox.select(name, writable=mark_read)
        healed = state.problem is not None
        if state.uid_validity != opened.uid_validity:
            state = await settle(mailbox, name, state, opened, scanner.start_from)
            async with self._tools.engine.begin() as conn:
                await scan.lease.fence(conn)
                await scanners.put_state(conn, scanner, name, state)
        if healed:
            await self._put_problem(scan, name, None)
        if self._unchanged(scan, name, opened):
            return opened.uid_validity
        found, read = counts.found, counts.read

        async def progress(now_read: int, now_found: int) -> None:
            counts.read, counts.found = read + now_read, found + now_found
            await self._note(scan)

        box = Box(scanner.id, scanner.generation, name, opened.uid_validity)
        origin = Origin(address_of(scanner), scanner.pec, mark_read, self._settings.max_mail_bytes)
        folder = self.folder_scan(self._tools, mailbox, scan.lease, box, origin, progress)
        await folder.run(state, opened, unread_only=scanner.find == "unread")
        scan.held.settled[name] = (opened, time.monotonic())
        return opened.uid_validity

    def _unchanged(self, scan: Scan, name: str, opened: Opened) -> bool:
        """Whether the folder looks as it did when nothing was left to read. Flags are not part of that look."""
        before, since = scan.held.settled.get(name, (None, 0.0))
        idle = scan.scanner.find == "all" and not (scan.scanner.has_begun or scan.scanner.has_flags)
        return idle and before == opened and time.monotonic() - since < LOOK_ANYWAY_S

    async def _missing(
        self, scan: Scan, mailbox: Mailbox, name: str, selected: Mapping[str, FolderState], error: FolderMissingError
    ) -> None:
        """Told on the scanner, each scan anew while it lasts; the other folders are read."""
        scan.counts.problems.append(str(error))
        state = selected[name]
        renamed_to = state.renamed_to
        if state.problem is None and state.uid_validity is not None:
            validity = state.uid_validity
            renamed_to = await mailbox.call(lambda c: c.renamed_to(validity, selected))
        if (state.problem, state.renamed_to) != (str(error), renamed_to):
            log.warning("a selected folder cannot be read", scanner=scan.scanner.id, folder=name, renamed_to=renamed_to)
            await self._put_problem(scan, name, str(error), renamed_to)

    async def _put_problem(self, scan: Scan, name: str, problem: str | None, renamed_to: str | None = None) -> None:
        async with self._tools.engine.begin() as conn:
            await scan.lease.fence(conn)
            await scanners.put_problem(conn, scan.scanner, name, problem, renamed_to)

    async def _note(self, scan: Scan) -> None:
        """Progress, for whoever watches; now and then only."""
        if time.monotonic() - scan.noted < NOTE_EVERY_S:
            return
        scan.noted = time.monotonic()
        async with self._tools.engine.begin() as conn:
            await scanners.note_progress(conn, scan.scanner.id, scan.jobs, scan.counts.read, scan.counts.found)

    async def _close_lost(self, scan: Scan, alive: dict[str, int]) -> None:
        """Lines begun in a folder that is read no more, or in an earlier life of it: their mails cannot be fetched any more."""
        async with self._tools.engine.begin() as conn:
            await scan.lease.fence(conn)
            lost = await ledger.lost_places(conn, scan.scanner.id, scan.scanner.generation, alive)
            await ledger.finish(conn, lost, OutcomeType.GONE.value, "its folder was renumbered or is read no more before it could be read")

    # --- how it ended -----------------------------------------------------------------------------------------------------------

    async def _succeeded(self, scan: Scan, read: dict[str, int]) -> Done:
        SCANS.labels("ok").inc()
        if scan.counts.read:
            log.info("scanned", scanner=scan.scanner.id, found=scan.counts.found, read=scan.counts.read)
        await self._put(scan, " ".join(scan.counts.problems) or None, float(scan.scanner.interval_seconds), "done")
        return Done(ok=True, pause=float(scan.scanner.interval_seconds), folders=tuple(read))

    async def _wait(self, scan: Scan, error: UnavailableError) -> Done:
        """Something of ours is away: no fault of the mailbox, so it is tried again soon; open jobs go on then."""
        SCANS.labels("away").inc()
        log.warning("scan waits", scanner=scan.scanner.id, error=str(error)[:300])
        text = f"Nothing is wrong with the mailbox; the fetcher waits for its own servers and goes on by itself: {error}"
        async with self._tools.engine.begin() as conn:
            await leases.put_result(conn, scan.lease, text[:500], AWAY_PAUSE_S)
        return Done(ok=False, pause=AWAY_PAUSE_S)

    async def _failed(self, scan: Scan, error: Exception) -> Done:
        SCANS.labels("failed").inc()
        scanner = scan.scanner
        text = str(error) if isinstance(error, SecretUnreadableError) else explain(error, scanner.server, scanner.port)
        seconds = pause(scanner.failures + 1, login=needs_somebody(error), jitter=random.random())  # noqa: S311 -- jitter, no secret
        expected = isinstance(error, IMAP_ERRORS)
        log.warning("scan failed", scanner=scanner.id, error=text, seconds=round(seconds), exc_info=None if expected else error)
        await self._put(scan, text, seconds, "failed", failed=True)
        return Done(ok=False, pause=seconds)

    async def _put(self, scan: Scan, error: str | None, seconds: float, job: str, *, failed: bool = False) -> None:
        counts, took = scan.counts, time.monotonic() - scan.began
        backlog = max(0, counts.found - counts.read)
        if error is None and not (counts.found or scan.jobs):
            async with self._at_once.connect() as conn:
                await leases.put_nothing_new(conn, scan.lease, seconds)
            return
        async with self._tools.engine.begin() as conn:
            await leases.put_result(conn, scan.lease, error, seconds, failed=failed, backlog=backlog)
            if counts.read or failed or scan.jobs:
                await scanners.add_scan(conn, scan.scanner.id, took, counts.found, counts.read, error)
            if scan.jobs:
                told = {"found": counts.found, "read": counts.read} | ({"error": error} if error else {})
                await scanners.end_jobs(conn, scan.jobs, job, told)
