"""Simulations run: whoever is free takes one, tries its rules on its mails, and leaves what each would become."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.adapters import simulations
from rules.adapters.resolutions import UnresolvedError
from rules.adapters.simulations import JobRow
from rules.domain.rule import StoredRule
from rules.settings import RulesSettings
from rules.simulation import reading
from rules.simulation.reading import ReadMail
from rules.simulation.results import Progress, row_of, trial_mail
from rules.simulation.trial import Draft, Judged, Trial
from shared.archive import Archive
from shared.messaging.errors import UnavailableError, is_unavailable
from shared.observability import RETRIES, get_logger

log = get_logger("simulation")

AT_ONCE: Final = 2
"""Simulations a process runs at a time: the mails that come in now go first."""
LOOK_EVERY_S: Final = 1.0
AWAY_S: Final = 2.0
AGAIN_S: Final = 10.0
"""What was away has so long to come back before the next try."""
MOST_TRIES: Final = 3
PROGRESS_S: Final = 1.0
KEPT: Final = 50
"""Of one scanner."""
TIDY_EVERY_S: Final = 60.0
REMOVED_AT_ONCE: Final = 10
DATABASE_AWAY: Final = "the database of the rules service did not answer"
FAULT: Final = "the rules service met an error: see its log"


class TakenOverError(Exception):
    """The simulation is another process's by now."""


class Simulator:
    """One per process; `run` is a loop, started `AT_ONCE` times."""

    def __init__(self, engine: AsyncEngine, archive: Archive, trial: Trial, settings: RulesSettings) -> None:
        self._engine = engine
        self._archive = archive
        self._trial = trial
        self._settings = settings
        self._lease_s = settings.simulation_lease_seconds

    async def run(self) -> None:
        """Ends only by being cancelled; the simulation under way is put back then, for another to take."""
        while True:
            try:
                worked = await self.run_one()
            except Exception as error:
                RETRIES.labels("simulation", type(error).__name__).inc()
                log.warning("simulation waits", error=str(error)[:300], exc_info=None if is_unavailable(error) else error)
                await asyncio.sleep(AWAY_S)
            else:
                if not worked:
                    await asyncio.sleep(LOOK_EVERY_S)

    async def run_one(self) -> bool:
        """Take a simulation and run it; False where none waits."""
        async with self._engine.begin() as conn:
            job = await simulations.take(conn, str(uuid4()), self._lease_s)
        if job is None:
            return False
        if job.tries > MOST_TRIES:
            await self._fail(job, job.error or "it did not end: see the log of the rules service, or try fewer mails")
            return True
        progress = Progress()
        work = asyncio.create_task(self._simulate(job, progress))
        try:
            await self._accompany(job, work, progress)
        except asyncio.CancelledError:
            await _end(work)
            await self._put_back(job, tried=False)
            raise
        except (UnresolvedError, UnavailableError) as error:
            await self._give_back(job, str(error))
        except Exception as error:
            await _end(work)
            await self._give_back(job, DATABASE_AWAY if is_unavailable(error) else FAULT)
            raise
        return True

    async def run_tidying(self) -> None:
        """Remove old simulations with their mails, for ever."""
        while True:
            try:
                removed = await self.tidy()
            except Exception as error:
                RETRIES.labels("simulation", type(error).__name__).inc()
                log.warning("old simulations stay for now", error=str(error)[:300], exc_info=None if is_unavailable(error) else error)
                removed = 0
            await asyncio.sleep(0 if removed == REMOVED_AT_ONCE else TIDY_EVERY_S)

    async def tidy(self) -> int:
        """One round, bounded; how many were removed."""
        async with self._engine.begin() as conn:
            return await simulations.remove_old(conn, self._settings.simulations_kept_days, KEPT, REMOVED_AT_ONCE)

    # --- one simulation, accompanied ------------------------------------------------------------------------------------------------

    async def _accompany(self, job: JobRow, work: asyncio.Task[None], progress: Progress) -> None:
        """Beat while it runs; its totals at the end. One that became another's is left to it."""
        while not (await asyncio.wait({work}, timeout=min(PROGRESS_S, self._lease_s / 4)))[0]:
            if not await self._beat(job, progress):
                await _end(work)
                log.warning("simulation is another's now", simulation=job.id)
                return
        try:
            work.result()
        except TakenOverError:
            log.warning("simulation is another's now", simulation=job.id)
            return
        async with self._engine.begin() as conn:
            await simulations.end(conn, job, {"state": "done", "error": None, **progress.columns()})
        log.info("simulated", simulation=job.id, scanner=job.scanner_id, mails=progress.done, changed=progress.tally.changed)

    async def _beat(self, job: JobRow, progress: Progress) -> bool:
        try:
            async with self._engine.begin() as conn:
                return await simulations.beat(conn, job, self._lease_s, progress.columns())
        except Exception as error:
            if not is_unavailable(error):
                raise
            return True

    async def _give_back(self, job: JobRow, why: str) -> None:
        """For another try in a while, or for good after the last."""
        if job.tries >= MOST_TRIES:
            await self._fail(job, why)
        else:
            log.warning("simulation is tried again", simulation=job.id, tries=job.tries, error=why)
            await self._put_back(job, tried=True, error=why, wait_s=AGAIN_S)

    async def _put_back(self, job: JobRow, *, tried: bool, error: str | None = None, wait_s: float = 0) -> None:
        async with self._engine.begin() as conn:
            await simulations.put_back(conn, job, tried=tried, error=error, wait_s=wait_s)

    async def _fail(self, job: JobRow, why: str) -> None:
        log.error("simulation given up", simulation=job.id, error=why)
        async with self._engine.begin() as conn:
            await simulations.end(conn, job, {"state": "failed", "error": f"Given up after {MOST_TRIES} tries: {why}."})

    # --- its mails ------------------------------------------------------------------------------------------------------------------

    async def _simulate(self, job: JobRow, progress: Progress) -> None:
        rules = tuple(StoredRule.model_validate(rule) for rule in job.rules)
        draft = await self._trial.prepare(job.scanner_id, rules)
        async with self._engine.connect() as conn:
            mails = await reading.selected(conn, job)
        progress.total = len(mails)
        async for batch in reading.batches(self._archive, job, mails):
            rows = await self._judge(draft, batch, job.id, progress)
            await self._keep(job, rows, progress)

    async def _judge(self, draft: Draft, batch: Sequence[ReadMail], simulation_id: str, progress: Progress) -> list[dict[str, Any]]:
        """The batch's results as rows; `progress` counts them."""
        judged = iter(await self._trial.judge_all(draft, [trial for one in batch if (trial := trial_mail(one)) is not None]))
        rows = []
        for one in batch:
            progress.done += 1
            result = Judged(None, one.note, None, None) if one.note else next(judged)
            row = row_of(one, result)
            progress.tally.add(one.stored.before, result.after, row["change"])
            rows.append({"simulation_id": simulation_id, "position": progress.done, **row})
        return rows

    async def _keep(self, job: JobRow, rows: Sequence[dict[str, Any]], progress: Progress) -> None:
        async with self._engine.begin() as conn:
            if not await simulations.beat(conn, job, self._lease_s, progress.columns()):
                raise TakenOverError(job.id)
            await simulations.keep(conn, rows)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
