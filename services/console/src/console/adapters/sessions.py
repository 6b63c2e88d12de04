"""Sessions in Postgres: only the hash of the cookie's secret is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from console.adapters.tables import SESSIONS, USERS
from console.adapters.users import principal_of
from console.domain.principal import Principal
from console.secret import secret_hash
from console.settings import Settings
from shared.clock import Clock

TOUCH_AFTER = timedelta(minutes=1)
"""`used_at` is written so seldom that reading pages costs no writes."""


class Sessions:
    """A session ends when unused for a while, after a longest time in any case, at sign-out, and with its user."""

    def __init__(self, engine: AsyncEngine, settings: Settings, clock: Clock) -> None:
        self._engine = engine
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._longest = timedelta(hours=settings.session_max_hours)
        self._clock = clock

    async def start(self, secret: str, user_id: str) -> datetime:
        """Store the session and give its latest end; sessions that have ended are swept out on the way."""
        now = self._clock()
        values = {"hash": secret_hash(secret), "user_id": user_id, "created_at": now, "used_at": now, "ends_at": now + self._longest}
        async with self._engine.begin() as conn:
            await conn.execute(delete(SESSIONS).where(SESSIONS.c.ends_at <= now))
            await conn.execute(insert(SESSIONS).values(values))
        return now + self._longest

    async def find(self, secret: str) -> Principal | None:
        """Whose session it is, None when it is unknown or has ended."""
        now = self._clock()
        hashed = secret_hash(secret)
        query = select(USERS, SESSIONS.c.used_at).join_from(SESSIONS, USERS).where(SESSIONS.c.hash == hashed)
        query = query.where(SESSIONS.c.ends_at > now, SESSIONS.c.used_at > now - self._idle)
        async with self._engine.connect() as conn:
            row = (await conn.execute(query)).first()
        if row is None:
            return None
        if row.used_at < now - TOUCH_AFTER:
            async with self._engine.begin() as conn:
                await conn.execute(update(SESSIONS).where(SESSIONS.c.hash == hashed).values(used_at=now))
        return principal_of(row)

    async def end(self, secret: str) -> None:
        """End it now; unknown ones are no error."""
        async with self._engine.begin() as conn:
            await conn.execute(delete(SESSIONS).where(SESSIONS.c.hash == secret_hash(secret)))
