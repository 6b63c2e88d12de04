"""Long work, kept in the database: a restart goes on where it stopped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import jobs


async def add_job(conn: AsyncConnection, job_id: str, kind: str, actor: str, given: Mapping[str, Any], total: int | None) -> None:
    """Nothing happens where it is there already."""
    values = {"id": job_id, "kind": kind, "actor": actor, "input": dict(given), "total": total}
    await conn.execute(insert(jobs).values(values).on_conflict_do_nothing())


async def get_job(conn: AsyncConnection, job_id: str) -> Row[Any] | None:
    return (await conn.execute(select(jobs).where(jobs.c.id == job_id.replace("\x00", "")))).first()


async def claim_job(conn: AsyncConnection, kinds: Collection[str]) -> Row[Any] | None:
    """The unfinished job of these kinds whose last step is longest ago, locked until the transaction ends; another replica's is skipped."""
    waiting = select(jobs).where(jobs.c.state.in_(["queued", "running"]), jobs.c.kind.in_(kinds)).order_by(jobs.c.updated_at)
    return (await conn.execute(waiting.limit(1).with_for_update(skip_locked=True))).first()


async def save_job(conn: AsyncConnection, job_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(jobs).where(jobs.c.id == job_id).values({**values, "updated_at": func.clock_timestamp()}))
