"""`/contacts`, `/accounts` and `/leads`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.api import FiledMail, Job, Page, Record, RecordImportIn, RecordIn, RecordMerge, RecordPatch, RecordType
from shared.clock import rfc3339
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, page, with_etag
from shared.messaging.outbox import Outbox
from tickets.adapters.job_store import get_job
from tickets.adapters.record_store import Wanted, get_record, list_records
from tickets.adapters.record_tickets import list_mails
from tickets.api.common import new_id, time_cursor
from tickets.jobs import Jobs
from tickets.registry import importing, merging, records

Text = Annotated[str | None, Query(max_length=500)]


def records_router(outbox: Outbox, jobs: Jobs, path: str, sort: RecordType) -> APIRouter:
    """The records of one sort; `/import` is no record's id."""
    router = APIRouter(prefix=path)

    @router.post("/import", status_code=202)
    async def take_in(request: RecordImportIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Job:
        job_id = f"tickets-{new_id(actor, key)}"
        table = await importing.read_file(request, sort)
        async with outbox.transaction() as unit:
            await importing.add_import(unit, job_id, sort, request, table, actor)
            row = await get_job(unit.conn, job_id)
        jobs.wake()
        response.headers["Location"] = f"/api/v1/jobs/{job_id}"
        return Job(id=job_id, state=row.state, done=row.done, total=row.total, result=row.result) if row else Job(id=job_id, state="queued")

    @router.get("")
    async def index(
        limit: Limit = 50, cursor: Cursor = None, q: Text = None, address: Text = None, account_id: Text = None
    ) -> Page[Record]:
        async with outbox.engine.connect() as conn:
            found = await list_records(conn, Wanted(sort, q, address, account_id), time_cursor(cursor), limit + 1)
        return page(found, limit, lambda record: (rfc3339(record.created_at), record.id))

    @router.post("", status_code=201)
    async def create(request: RecordIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Record:
        async with outbox.transaction() as unit:
            record = await records.create(unit, sort, new_id(actor, key), request, actor)
        jobs.wake()
        response.headers["Location"] = f"/api/v1{path}/{record.id}"
        with_etag(response, record.version)
        return record

    @router.get("/{record_id}")
    async def read(record_id: str, response: Response) -> Record:
        async with outbox.engine.connect() as conn:
            record = await get_record(conn, sort, record_id)
        with_etag(response, record.version)
        return record

    @router.patch("/{record_id}")
    async def change(record_id: str, request: RecordPatch, response: Response, actor: Actor, if_match: IfMatch = None) -> Record:
        async with outbox.transaction() as unit:
            record = await records.change(unit, sort, record_id.replace("\x00", ""), request, actor, if_match)
        jobs.wake()
        with_etag(response, record.version)
        return record

    @router.delete("/{record_id}", status_code=204)
    async def delete(record_id: str, actor: Actor, if_match: IfMatch = None) -> None:
        await records.remove(outbox, sort, record_id.replace("\x00", ""), actor, if_match)

    @router.post("/{record_id}/merge")
    async def merge(record_id: str, request: RecordMerge, response: Response, actor: Actor, if_match: IfMatch = None) -> Record:
        record = await merging.merge(outbox, sort, record_id.replace("\x00", ""), request.ids, actor, if_match)
        with_etag(response, record.version)
        return record

    @router.get("/{record_id}/mails")
    async def mails(record_id: str, limit: Limit = 50, cursor: Cursor = None) -> Page[FiledMail]:
        async with outbox.engine.connect() as conn:
            record = await get_record(conn, sort, record_id)
            found = await list_mails(conn, record.id, time_cursor(cursor), limit + 1)
        return page(found, limit, lambda mail: (rfc3339(mail.received_at), mail.mail_id))

    return router
