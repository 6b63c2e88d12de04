"""Erasures with their reports, and the jobs that show how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import erasures

_LOCK = text("select pg_advisory_xact_lock(hashtextextended('erasure:' || :digest, 0))")


async def under_way(conn: AsyncConnection, digest: str) -> Row[Any] | None:
    """The address' erasure that is not done yet. Nobody else begins one until the transaction ends."""
    await conn.execute(_LOCK, {"digest": digest})
    return (await conn.execute(select(erasures).where(erasures.c.digest == digest, erasures.c.state == "running"))).first()


async def add_erasure(conn: AsyncConnection, values: Mapping[str, Any]) -> None:
    await conn.execute(insert(erasures).values(dict(values)))


async def get_erasure(conn: AsyncConnection, erasure_id: str, *, lock: bool = False) -> Row[Any] | None:
    query = select(erasures).where(erasures.c.id == erasure_id.replace("\x00", ""))
    return (await conn.execute(query.with_for_update() if lock else query)).first()


async def list_erasures(conn: AsyncConnection, after: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    """Newest first."""
    query = select(erasures).order_by(erasures.c.created_at.desc(), erasures.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(erasures.c.created_at, erasures.c.id) < tuple_(*after))
    return (await conn.execute(query)).all()


async def put_reports(conn: AsyncConnection, erasure_id: str, reports: Sequence[Mapping[str, Any]]) -> None:
    await conn.execute(update(erasures).where(erasures.c.id == erasure_id).values(reports=list(reports)))


async def end_erasure(conn: AsyncConnection, erasure_id: str) -> None:
    """All have reported: the digest stays."""
    await conn.execute(update(erasures).where(erasures.c.id == erasure_id).values(address=None, state="done", finished_at=func.now()))
