"""Checks of the ledger: whoever is free takes one, compares mailboxes, ledger and outcomes, and leaves a report at the job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from uuid import uuid4

from aiokafka.errors import KafkaError

from fetcher.adapters import check_jobs, ledger_check, scanners
from fetcher.adapters.check_jobs import JobRow
from fetcher.check.findings import MOST_FINDINGS, Findings, double, unanswered, unpublished
from fetcher.check.mailbox import Comparing, Doors
from fetcher.poll import Tools
from fetcher.settings import Settings
from fetcher.sweep import AT_ONCE, publish_again
from shared.messaging.errors import is_unavailable
from shared.observability import RETRIES, get_logger

log = get_logger("reconcile")

LOOK_EVERY_S = 1.0
AWAY_S = 2.0
MAILBOXES_AT_ONCE = 4
MOST_TRIES = 3
"""A check that was begun so often and never ended is given up: it may be what its fetchers died of."""


class Checker:
    """`run()` until cancelled. Each process runs one check at a time; several processes run several."""

    def __init__(self, tools: Tools, settings: Settings, doors: Doors) -> None:
        self._tools = tools
        self._settings = settings
        self._doors = doors

    async def run(self) -> None:
        """Ends only by being cancelled; another fetcher takes an open check up then."""
        while True:
            try:
                worked = await self.check_one()
            except Exception as error:
                RETRIES.labels("check", type(error).__name__).inc()
                log.warning("check waits", error=str(error)[:300], exc_info=None if _away(error) else error)
                await asyncio.sleep(AWAY_S)
            else:
                if not worked:
                    await asyncio.sleep(LOOK_EVERY_S)

    async def check_one(self) -> bool:
        """Take a check and run it; False where none waits."""
        async with self._tools.engine.begin() as conn:
            job = await check_jobs.take(conn, str(uuid4()), self._settings.lease_seconds)
        if job is None:
            return False
        if job.tries > MOST_TRIES:
            await self._fail(
                job, f"it was begun {MOST_TRIES} times and did not end: see the fetchers' logs, or check one mailbox after the other"
            )
            return True
        findings = Findings()
        work = asyncio.create_task(self._check(job, findings))
        try:
            await self._accompany(job, work, findings)
        except asyncio.CancelledError:
            await self._put_back(job, work, tried=False)
            raise
        except Exception:
            await self._put_back(job, work, tried=True)
            raise
        return True

    async def _accompany(self, job: JobRow, work: asyncio.Task[None], findings: Findings) -> None:
        """Beat while the check runs; its report at the end. A check that became another's is left to it."""
        while not (await asyncio.wait({work}, timeout=self._settings.lease_seconds / 8))[0]:
            if not await self._beat(job, findings):
                log.warning("check is another's now", job=job.id)
                await _end(work)
                return
        work.result()
        async with self._tools.engine.begin() as conn:
            await check_jobs.end(conn, job, "done", findings.report().model_dump(mode="json"), findings.done)
        log.info("checked", job=job.id, folders=findings.folder_count, findings=findings.count)

    async def _beat(self, job: JobRow, findings: Findings) -> bool:
        try:
            async with self._tools.engine.begin() as conn:
                return await check_jobs.beat(conn, job, self._settings.lease_seconds, findings.done, findings.total)
        except Exception as error:
            if not is_unavailable(error):
                raise
            return True

    async def _put_back(self, job: JobRow, work: asyncio.Task[None], *, tried: bool) -> None:
        await _end(work)
        async with self._tools.engine.begin() as conn:
            await check_jobs.put_back(conn, job, tried=tried)

    async def _fail(self, job: JobRow, why: str) -> None:
        log.error("check given up", job=job.id, error=why)
        async with self._tools.engine.begin() as conn:
            await check_jobs.end(conn, job, "failed", {"error": f"The check was given up: {why}."}, job.done)

    # --- a check ----------------------------------------------------------------------------------------------------------------

    async def _check(self, job: JobRow, findings: Findings) -> None:
        async with self._tools.engine.connect() as conn:
            mailboxes = await ledger_check.scope(conn, job.scanner_id)
        findings.total = sum(folders for _, folders in mailboxes)
        repair = bool(job.options["repair"])
        await self._overdue(job, findings, repair=repair)
        comparing = Comparing(self._tools.engine, self._doors, findings, repair=repair)
        waiting = iter([scanner_id for scanner_id, _ in mailboxes])
        tasks = [asyncio.create_task(self._mailboxes(waiting, comparing, findings)) for _ in range(MAILBOXES_AT_ONCE)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                await _end(task)

    async def _mailboxes(self, waiting: Iterator[str], comparing: Comparing, findings: Findings) -> None:
        """One after the other, of those that nobody took yet."""
        for scanner_id in waiting:
            async with self._tools.engine.connect() as conn:
                scanner = await scanners.get(conn, scanner_id)
                doubles = await ledger_check.doubles(conn, scanner_id, max(1, findings.room))
            if scanner is None:
                continue
            for row in doubles:
                findings.add(double(scanner_id, row.folder, row.uid, row.id, row.first))
            findings.count += doubles[0].found - len(doubles) if doubles else 0
            await comparing.mailbox(scanner)

    async def _overdue(self, job: JobRow, findings: Findings, *, repair: bool) -> None:
        """Mails under way for too long; with `repair` they are sent on their way again."""
        async with self._tools.engine.connect() as conn:
            before = await ledger_check.ago(conn, self._settings.sweep_after_seconds)
            late = await ledger_check.overdue(conn, job.scanner_id, before, MOST_FINDINGS)
        again = await self._publish_again(job.scanner_id, before) if repair and late else set()
        scanned = {row.scanner_id for row in late if row.state == "seen" and row.enabled} if repair else set()
        for scanner_id in sorted(scanned):
            async with self._tools.engine.begin() as conn:
                await ledger_check.scan_soon(conn, scanner_id)
        for row in late:
            place = (row.scanner_id, row.folder, row.uid, row.id, row.since)
            if row.state == "seen":
                findings.add(unpublished(*place, repaired=row.scanner_id in scanned))
            else:
                findings.add(unanswered(*place, repair=repair, repaired=row.id in again))
        findings.count += late[0].found - len(late) if late else 0

    async def _publish_again(self, scanner_id: str | None, before: datetime) -> set[str]:
        again: set[str] = set()
        while True:
            async with self._tools.engine.begin() as conn:
                late = await ledger_check.to_publish(conn, scanner_id, before, AT_ONCE)
                again.update(await publish_again(self._tools, conn, late))
            if not late:
                return again


def _away(error: Exception) -> bool:
    return is_unavailable(error) or isinstance(error, KafkaError)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
