"""`/tickets/spam`, `/spam-senders` and `/jobs/{id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from shared.api import Job, Page, SpamRequest, SpamSender, SpamSenderIn
from shared.clock import rfc3339
from shared.events import derived_id
from shared.http import Actor, Cursor, IdempotencyKey, Limit, not_found, page
from shared.messaging.outbox import Outbox
from tickets.adapters.job_store import add_job, get_job
from tickets.adapters.spam_store import list_senders
from tickets.api.common import new_id, plain, time_cursor
from tickets.api.views import spam_sender_view
from tickets.jobs import Jobs
from tickets.listing import add_entry
from tickets.spam import JOB_KIND, refuse_unfit
from tickets.unspam import JOB_KIND as UNSPAM
from tickets.unspam import job_of, remove_entry

Q = Annotated[str | None, Query(max_length=320, description="A part of the address or domain")]


def spam_router(outbox: Outbox, jobs: Jobs) -> APIRouter:
    router = APIRouter()

    @router.post("/tickets/spam", status_code=202)
    async def mark(request: SpamRequest, response: Response, actor: Actor, key: IdempotencyKey = None) -> Job:
        numbers = list(dict.fromkeys(request.ticket_ids))
        job_id = f"tickets-{new_id(actor, key)}"
        async with outbox.transaction() as unit:
            if await get_job(unit.conn, job_id) is None:
                await refuse_unfit(unit.conn, numbers, request.listing)
                given = {"ticket_ids": numbers, "listing": request.listing}
                await add_job(unit.conn, job_id, JOB_KIND, actor, given, len(numbers))
        jobs.wake()
        response.headers["Location"] = _location(job_id)
        return await _job(job_id)

    @router.get("/jobs/{job_id}")
    async def _job(job_id: str) -> Job:
        async with outbox.engine.connect() as conn:
            row = await get_job(conn, job_id)
        if row is None:
            raise not_found("job", job_id)
        return Job(id=row.id, state=row.state, done=row.done, total=row.total, result=row.result)

    @router.get("/spam-senders")
    async def index(limit: Limit = 50, cursor: Cursor = None, q: Q = None) -> Page[SpamSender]:
        """Newest first."""
        async with outbox.engine.connect() as conn:
            rows = await list_senders(conn, plain(q or "").strip(), time_cursor(cursor), limit + 1)
        return page([spam_sender_view(row) for row in rows], limit, lambda entry: (rfc3339(entry.created_at), entry.id))

    @router.post("/spam-senders", status_code=201)
    async def create(request: SpamSenderIn, response: Response, actor: Actor) -> SpamSender:
        """An address or a domain is listed once: a second POST answers 200 with the entry that is there."""
        async with outbox.transaction() as unit:
            row, made = await add_entry(unit, plain(request.address), actor)
        response.status_code = 201 if made else 200
        response.headers["Location"] = f"/api/v1/spam-senders/{row.id}"
        return spam_sender_view(row)

    @router.delete("/spam-senders/{sender_id}", status_code=204)
    async def remove(sender_id: str, actor: Actor, restore: bool = False) -> Response:
        """With `restore` 202 and a job, the same one as long as the entry is there."""
        async with outbox.transaction() as unit:
            if not restore:
                await remove_entry(unit, sender_id, actor)
                return Response(status_code=204)
            given, total = await job_of(unit, sender_id)
            job_id = f"tickets-{derived_id(UNSPAM, given['sender_id'])}"
            await add_job(unit.conn, job_id, UNSPAM, actor, given, total)
        jobs.wake()
        job = await _job(job_id)
        return JSONResponse(job.model_dump(mode="json"), 202, {"Location": _location(job_id)})

    return router


def _location(job_id: str) -> str:
    return f"/api/v1/jobs/{job_id}"
