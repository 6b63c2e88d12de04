"""Simulations as jobs in Postgres: held by the process that runs them, taken up again by another when it died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, Select, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import SIMULATED_MAILS, SIMULATIONS

JobRow = Row[Any]

PASTED: Final = "raw_base64"
"""Name of a pasted mail's bytes in `mails`: they are there only as long as somebody may need them."""
_SHOWN = [column for column in SIMULATIONS.c if column.name != "mails"]


async def find(conn: AsyncConnection, simulation_id: str) -> JobRow | None:
    """Without the mails it is asked about, which may be megabytes."""
    return (await conn.execute(select(*_SHOWN).where(SIMULATIONS.c.id == simulation_id))).first()


async def add(conn: AsyncConnection, values: dict[str, Any]) -> None:
    """Queue one. The same id twice is one simulation."""
    await conn.execute(upsert(SIMULATIONS).values(values).on_conflict_do_nothing())


async def waiting(conn: AsyncConnection, scanner_id: str) -> int:
    """Simulations of the scanner that nobody took yet."""
    query = select(func.count()).where(SIMULATIONS.c.scanner_id == scanner_id, SIMULATIONS.c.state == "queued")
    return int(await conn.scalar(query) or 0)


async def take(conn: AsyncConnection, holder: str, seconds: float) -> JobRow | None:
    """The oldest that waits and need not wait longer, or whose holder did not beat in time; it begins anew."""
    job = (await conn.execute(_TAKE, {"holder": holder, "seconds": seconds})).first()
    if job is not None:
        await conn.execute(delete(SIMULATED_MAILS).where(SIMULATED_MAILS.c.simulation_id == job.id))
    return job


_TAKE = text(
    """
    update simulations set state = 'running', holder = :holder, until = now() + make_interval(secs => :seconds),
        tries = tries + 1, done = 0, total = null, changed = 0, totals = '[]'
    where id = (
        select id from simulations
        where (state = 'queued' and (until is null or until < now())) or (state = 'running' and until < now())
        order by created_at, id limit 1 for update skip locked
    )
    returning *
    """
)


async def beat(conn: AsyncConnection, job: JobRow, seconds: float, progress: dict[str, Any]) -> bool:
    """Still at work, so far; False where the simulation is another's, or nobody's, by now."""
    return await _put(conn, job, {"until": _in(seconds), **progress})


async def keep(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Results of mails; `beat` in the same transaction says that they are wanted."""
    await conn.execute(insert(SIMULATED_MAILS), rows)


async def end(conn: AsyncConnection, job: JobRow, values: dict[str, Any]) -> None:
    """`done`, or `failed` with its error; a pasted mail's bytes go."""
    without_bytes = {name: value for name, value in job.mails.items() if name != PASTED}
    await _put(conn, job, {**values, "finished_at": func.now(), "mails": without_bytes})


async def put_back(conn: AsyncConnection, job: JobRow, *, tried: bool, error: str | None = None, wait_s: float = 0) -> None:
    """For another to take, not before `wait_s`; `tried`: this try counts."""
    tries = job.tries if tried else job.tries - 1
    await _put(conn, job, {"state": "queued", "holder": None, "until": _in(wait_s), "tries": tries, "error": error})


async def mails(
    conn: AsyncConnection, simulation_id: str, limit: int, after: int, change: str | None, before: str | None, result: str | None
) -> Sequence[Row[Any]]:
    """Results beyond position `after`, of the change and the outcomes given, without their evidence."""
    table = SIMULATED_MAILS.c
    query = _results(simulation_id).where(table.position > after)
    if change is not None:
        query = query.where(table.change == change)
    if before is not None:
        query = query.where(table.before["outcome"].astext == before)
    if result is not None:
        query = query.where(table.after["outcome"].astext == result)
    return list(await conn.execute(query.order_by(table.position).limit(limit)))


async def mail(conn: AsyncConnection, simulation_id: str, position: int) -> Row[Any] | None:
    """One result, with its evidence."""
    query = _results(simulation_id).add_columns(SIMULATED_MAILS.c.kind_reason, SIMULATED_MAILS.c.evidence)
    return (await conn.execute(query.where(SIMULATED_MAILS.c.position == position))).first()


async def remove_old(conn: AsyncConnection, days: int, kept: int, most: int) -> int:
    """Remove at most `most` that ended over `days` days ago, or are beyond a scanner's newest `kept`. Returns how many."""
    removed = await conn.execute(_REMOVE_OLD, {"days": days, "kept": kept, "most": most})
    return removed.rowcount


_REMOVE_OLD = text(
    """
    delete from simulations where id in (
        select id from (
            select id, state, finished_at, row_number() over (partition by scanner_id order by created_at desc, id desc) as place
            from simulations
        ) as one
        where state in ('done', 'failed') and (finished_at < now() - make_interval(days => :days) or place > :kept)
        limit :most
    )
    """
)


def _results(simulation_id: str) -> Select[Any]:
    table = SIMULATED_MAILS.c
    columns = (table.position, table.mail_id, table.subject, table.sender, table.received_at, table.kind)
    return select(*columns, table.before, table.after, table.change, table.note).where(table.simulation_id == simulation_id)


def _in(seconds: float) -> Any:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def _put(conn: AsyncConnection, job: JobRow, values: dict[str, Any]) -> bool:
    mine = update(SIMULATIONS).where(SIMULATIONS.c.id == job.id, SIMULATIONS.c.holder == job.holder, SIMULATIONS.c.state == "running")
    return (await conn.execute(mine.values(values).returning(SIMULATIONS.c.id))).first() is not None
