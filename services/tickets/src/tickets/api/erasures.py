"""`/erasures`: asking for one, and the reports."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Row

from shared.api import Erasure, ErasureIn, ErasurePart, Job, Page
from shared.clock import rfc3339
from shared.http import Actor, Cursor, Limit, not_found, page
from shared.messaging.outbox import Outbox
from tickets.adapters.erasure_store import get_erasure, list_erasures
from tickets.adapters.job_store import get_job
from tickets.api.common import plain, time_cursor
from tickets.erasure.requests import job_of, start, waiting_for


def erasures_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/erasures")

    @router.post("", status_code=202)
    async def create(request: ErasureIn, response: Response, actor: Actor) -> Job:
        """One that is under way for the address is answered again."""
        async with outbox.transaction() as unit:
            job_id = job_of(await start(unit, plain(request.address).strip(), actor))
            row = await get_job(unit.conn, job_id)
        if row is None:
            raise not_found("job", job_id)
        response.headers["Location"] = f"/api/v1/jobs/{job_id}"
        return Job(id=row.id, state=row.state, done=row.done, total=row.total, result=row.result)

    @router.get("")
    async def index(limit: Limit = 50, cursor: Cursor = None) -> Page[Erasure]:
        async with outbox.engine.connect() as conn:
            rows = await list_erasures(conn, time_cursor(cursor), limit + 1)
        return page([_view(row) for row in rows], limit, lambda one: (rfc3339(one.created_at), one.id))

    @router.get("/{erasure_id}")
    async def read(erasure_id: str) -> Erasure:
        async with outbox.engine.connect() as conn:
            row = await get_erasure(conn, erasure_id)
        if row is None:
            raise not_found("erasure", erasure_id)
        return _view(row)

    return router


def _view(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id,
        address=row.address,
        state=row.state,
        requested_by=row.requested_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        parts=[ErasurePart.model_validate(one) for one in row.reports],
        waiting_for=waiting_for(row.reports),
    )
