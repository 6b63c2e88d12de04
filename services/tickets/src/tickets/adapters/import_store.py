"""The files of imports, in parts, while they are taken in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.bulk import insert_rows
from tickets.adapters.tables import import_parts, import_records, jobs, record_addresses, records
from tickets.domain.csv_file import Line
from tickets.domain.importing import Known

PART_LINES = 200
PART_ADDRESSES = 500
"""A step locks each of its addresses."""


async def add_parts(conn: AsyncConnection, job_id: str, lines: Sequence[Line]) -> None:
    """Each part is numbered by how many lines are before it."""
    for number, part in _parts(lines):
        values = {"job_id": job_id, "number": number, "lines": [line.as_json() for line in part]}
        await conn.execute(insert(import_parts).values(values))


async def copy_parts(conn: AsyncConnection, from_job: str, job_id: str) -> bool:
    """The file of another job; False where it is gone."""
    theirs = select(literal(job_id), import_parts.c.number, import_parts.c.lines).where(import_parts.c.job_id == from_job)
    copied = insert(import_parts).from_select(["job_id", "number", "lines"], theirs).returning(import_parts.c.number)
    return (await conn.execute(copied)).first() is not None


async def get_part(conn: AsyncConnection, job_id: str, number: int) -> list[Line]:
    """The lines after the first `number`."""
    query = select(import_parts.c.lines).where(import_parts.c.job_id == job_id, import_parts.c.number == number)
    return [Line(**line) for line in await conn.scalar(query) or []]


async def forget_file(conn: AsyncConnection, job_id: str, *, keep_parts: bool) -> None:
    """The job is done; a dry run's parts stay for the import itself."""
    await conn.execute(delete(import_records).where(import_records.c.job_id == job_id))
    if not keep_parts:
        await conn.execute(delete(import_parts).where(import_parts.c.job_id == job_id))


async def forget_old_files(conn: AsyncConnection, before: datetime) -> None:
    """Files of dry runs that nobody took in, and of imports that failed."""
    ended = select(jobs.c.id).where(jobs.c.state.in_(["done", "failed"]))
    old = select(import_parts.c.job_id).where(import_parts.c.created_at < before, import_parts.c.job_id.in_(ended))
    await conn.execute(delete(import_parts).where(import_parts.c.job_id.in_(old)))
    failed = select(jobs.c.id).where(jobs.c.state == "failed")
    await conn.execute(delete(import_records).where(import_records.c.job_id.in_(failed)))


async def known_records(conn: AsyncConnection, ids: Collection[str], addresses: Mapping[str, Sequence[str]]) -> dict[str, Known]:
    """The stored records, locked in the order of their ids; `addresses` are theirs by id."""
    query = select(records).where(records.c.id.in_(sorted(ids))).order_by(records.c.id).with_for_update()
    return {
        row.id: Known(
            row.id,
            row.name,
            tuple(addresses.get(row.id, ())),
            {"phone": row.phone, "company": row.company, "website": row.website, "note": row.note},
            row.account_id,
        )
        for row in await conn.execute(query)
    }


async def spoken_of(conn: AsyncConnection, job_id: str, ids: Collection[str]) -> dict[str, int]:
    """Which of these records an earlier line of the job spoke of, and which line."""
    query = select(import_records.c.record_id, import_records.c.line)
    rows = await conn.execute(query.where(import_records.c.job_id == job_id, import_records.c.record_id.in_(sorted(ids))))
    return {row.record_id: row.line for row in rows}


async def remember_spoken_of(conn: AsyncConnection, job_id: str, lines: Mapping[str, int]) -> None:
    rows = [{"job_id": job_id, "record_id": record_id, "line": line} for record_id, line in lines.items()]
    if rows:
        await conn.execute(upsert(import_records).values(rows).on_conflict_do_nothing())


async def insert_new(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]], addresses: Sequence[Mapping[str, Any]]) -> None:
    """Records that are new, all with the same columns, and addresses of these and others."""
    await insert_rows(conn, records, rows)
    await insert_rows(conn, record_addresses, addresses)


def _parts(lines: Sequence[Line]) -> Iterator[tuple[int, list[Line]]]:
    start, part, addresses = 0, list[Line](), 0
    for number, line in enumerate(lines):
        if part and (len(part) == PART_LINES or addresses + len(line.addresses) > PART_ADDRESSES):
            yield start, part
            start, part, addresses = number, [], 0
        part.append(line)
        addresses += len(line.addresses)
    if part:
        yield start, part
