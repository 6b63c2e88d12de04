"""Long work of this service: one step after the other, each in one transaction with the job's progress."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row

from shared.messaging.errors import is_unavailable
from shared.messaging.outbox import Outbox, Unit
from shared.observability import RETRIES, get_logger
from tickets.adapters.job_store import claim_job, save_job

log = get_logger("jobs")

IDLE_SECONDS = 2.0
TRY_AGAIN_SECONDS = 5.0
MAX_TRIES = 5
FAILED = "it failed again and again; the service's log has the reason"


@dataclass(frozen=True)
class Progress:
    """How far a job is after a step."""

    done: int
    result: dict[str, Any]
    state: Literal["running", "done", "failed"] = "running"


Step = Callable[[Unit, Row[Any]], Awaitable[Progress]]
"""One bounded step of a job, given its locked row (`input`, `done`, `total`, `result`, `actor`)."""


class Jobs:
    """Carries out the jobs of all kinds, in turn, so that a long one does not hold up a short one. A crash repeats one step at most."""

    def __init__(self, outbox: Outbox, steps: Mapping[str, Step]) -> None:
        self._outbox = outbox
        self._steps = steps
        self._wake = asyncio.Event()
        self._tries: dict[str, int] = {}

    def wake(self) -> None:
        """A job was added."""
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                worked = await self._step()
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("job", type(error).__name__).inc()
                log.warning("the jobs wait", error=str(error)[:300], seconds=TRY_AGAIN_SECONDS)
                await asyncio.sleep(TRY_AGAIN_SECONDS)
                continue
            if not worked:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
                self._wake.clear()

    async def _step(self) -> bool:
        """One step of the job that waited longest; False where there is none."""
        job: Row[Any] | None = None
        try:
            async with self._outbox.transaction() as unit:
                job = await claim_job(unit.conn, self._steps.keys())
                if job is None:
                    return False
                progress = await self._steps[job.kind](unit, job)
                await save_job(unit.conn, job.id, {"state": progress.state, "done": progress.done, "result": progress.result})
        except Exception as error:
            if job is None or is_unavailable(error):
                raise
            await self._failed(job, error)
        return True

    async def _failed(self, job: Row[Any], error: Exception) -> None:
        """A step that fails five times in a row ends its job; until then the other jobs have their turn."""
        tries = self._tries[job.id] = self._tries.get(job.id, 0) + 1
        log.warning("a job's step failed", job=job.id, kind=job.kind, tries=tries, error=str(error)[:300])
        RETRIES.labels(f"job-{job.kind}", type(error).__name__).inc()
        values: dict[str, Any] = {}
        if tries >= MAX_TRIES:
            values = {"state": "failed", "result": {**(job.result or {}), "problem": FAILED}}
            del self._tries[job.id]
        async with self._outbox.transaction() as unit:
            await save_job(unit.conn, job.id, values)
