"""Checks of the ledger as jobs: held by the fetcher that runs them, taken up again by another when it died."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.tables import JOBS

JobRow = Row[Any]


async def add(conn: AsyncConnection, job_id: str, scanner_id: str | None, *, repair: bool) -> JobRow:
    """Queue a check. The same id twice is one job; one that waits already and does the same is that job, too."""
    options = {"repair": repair}
    same = select(JOBS).where(JOBS.c.kind == "check", JOBS.c.state == "queued", JOBS.c.options == options)
    waiting = (await conn.execute(same.where(JOBS.c.scanner_id.is_not_distinct_from(scanner_id)).limit(1))).first()
    if waiting is not None:
        return waiting
    await conn.execute(insert(JOBS).values(id=job_id, scanner_id=scanner_id, kind="check", options=options).on_conflict_do_nothing())
    return (await conn.execute(select(JOBS).where(JOBS.c.id == job_id))).one()


async def take(conn: AsyncConnection, holder: str, seconds: float) -> JobRow | None:
    """The oldest check that waits, or whose holder did not beat in time."""
    return (await conn.execute(_TAKE, {"holder": holder, "seconds": seconds})).first()


_TAKE = text(
    """
    update jobs set state = 'running', holder = :holder, until = now() + make_interval(secs => :seconds),
        tries = tries + 1, done = 0, total = null
    where id = (
        select id from jobs where kind = 'check' and (state = 'queued' or (state = 'running' and until < now()))
        order by created_at limit 1 for update skip locked
    )
    returning *
    """
)


async def beat(conn: AsyncConnection, job: JobRow, seconds: float, done: int, total: int | None) -> bool:
    """Still at work, so far; False where the job is another's, or nobody's, by now."""
    values = {"until": func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds), "done": done, "total": total}
    return await _put(conn, job, values)


async def end(conn: AsyncConnection, job: JobRow, state: str, result: dict[str, Any], done: int) -> bool:
    """`done` with the report, or `failed` with the error; False as in `beat`."""
    return await _put(conn, job, {"state": state, "result": result, "finished_at": func.now(), "done": done, "total": done})


async def put_back(conn: AsyncConnection, job: JobRow, *, tried: bool) -> None:
    """For another to take; `tried`: this try counts."""
    await _put(conn, job, {"state": "queued", "holder": None, "until": None, "tries": job.tries if tried else job.tries - 1})


async def _put(conn: AsyncConnection, job: JobRow, values: dict[str, Any]) -> bool:
    mine = update(JOBS).where(JOBS.c.id == job.id, JOBS.c.holder == job.holder, JOBS.c.state == "running")
    return (await conn.execute(mine.values(values).returning(JOBS.c.id))).first() is not None
