"""Sign-in tries that were wrong or are under way, in Postgres, so that the limit holds over all replicas and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from console.adapters.tables import LOGIN_ATTEMPTS
from console.domain.login_limit import WINDOW


class Attempts:
    """One row per try and scope; rows older than the window are swept out."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def begin(self, scopes: Sequence[str], now: datetime) -> tuple[list[int], list[list[datetime]]]:
        """Count a try in each scope; gives its row ids and the times of the earlier tries per scope."""
        table = LOGIN_ATTEMPTS
        scopes = [scope.replace("\x00", "") for scope in scopes]
        async with self._engine.begin() as conn:
            for scope in sorted(scopes):  # tries of one scope queue up, so that none overlooks another
                await conn.execute(text("select pg_advisory_xact_lock(hashtextextended(:scope, 0))"), {"scope": scope})
            await conn.execute(delete(table).where(table.c.at <= now - WINDOW))
            rows = (await conn.execute(select(table.c.scope, table.c.at).where(table.c.scope.in_(scopes)))).all()
            new = insert(table).values([{"scope": scope, "at": now} for scope in scopes]).returning(table.c.id)
            ids = list((await conn.execute(new)).scalars())
        return ids, [[row.at for row in rows if row.scope == scope] for scope in scopes]

    async def forget(self, ids: Sequence[int]) -> None:
        """The try was no wrong password."""
        async with self._engine.begin() as conn:
            await conn.execute(delete(LOGIN_ATTEMPTS).where(LOGIN_ATTEMPTS.c.id.in_(ids)))
