"""`/ledger`: its counts, and checks of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from sqlalchemy import and_, func
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import check_jobs, ledger
from fetcher.adapters.tables import LEDGER
from fetcher.api.scanners import found_scanner
from fetcher.api.views import job_view, mail_view
from fetcher.settings import Settings
from shared.api import Job, LedgerCheckIn
from shared.events import derived_id
from shared.http import Actor, IdempotencyKey
from shared.observability import get_logger

log = get_logger("api")
GAPS_SHOWN = 200


class LedgerApi:
    """Sums up the ledger; starts checks."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def router(self) -> APIRouter:
        """All paths, as the public API has them."""
        router = APIRouter()
        router.get("/ledger")(self.summary)
        router.post("/ledger", status_code=202)(self.check)
        return router

    async def summary(self, scanner_id: str | None = None) -> dict[str, Any]:
        """Counts per scanner and outcome, and the gaps: mails under way for longer than they should be."""
        late = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, self._settings.sweep_after_seconds)
        since = func.coalesce(LEDGER.c.published_at, LEDGER.c.seen_at)
        overdue = and_(LEDGER.c.outcome_type.is_(None), LEDGER.c.state != "done", since < late)
        one = None if scanner_id is None else scanner_id.replace("\x00", "")
        mine = [] if one is None else [LEDGER.c.scanner_id == one]
        async with self._engine.connect() as conn:
            counts = await ledger.summary(conn, one)
            gaps = await ledger.page(conn, [overdue, *mine], None, GAPS_SHOWN)
        items: dict[str, dict[str, Any]] = {}
        for row in counts:
            item = items.setdefault(row.scanner_id, {"scanner_id": row.scanner_id, "mails": 0, "under_way": 0, "outcomes": {}})
            item["mails"] += row.mails
            if row.outcome_type is None:
                item["under_way"] += row.mails
            else:
                item["outcomes"][row.outcome_type] = item["outcomes"].get(row.outcome_type, 0) + row.mails
        return {"items": list(items.values()), "gaps": [mail_view(row).model_dump(mode="json") for row in gaps]}

    async def check(self, body: LedgerCheckIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Job:
        """Compare mailboxes, ledger and outcomes; whichever fetcher is free does it. The job's result is a LedgerReport."""
        job_id = f"fetcher-{derived_id('idempotency', actor, 'ledger', key) if key else uuid4()}"
        async with self._engine.begin() as conn:
            scanner = None if body.scanner_id is None else await found_scanner(conn, body.scanner_id.replace("\x00", ""))
            job = await check_jobs.add(conn, job_id, scanner and scanner.id, repair=body.repair)
        log.info("check of the ledger", job=job.id, actor=actor, scanner=body.scanner_id, repair=body.repair)
        response.headers["Location"] = f"/api/v1/jobs/{job.id}"
        return job_view(job)
