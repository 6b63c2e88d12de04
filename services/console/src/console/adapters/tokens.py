"""API tokens in Postgres: only their hash is kept."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from console.adapters.tables import TOKENS
from console.domain.principal import Principal
from console.secret import secret_hash
from shared.api import Page, Token
from shared.clock import Clock
from shared.http import decode_cursor, page

TOUCH_AFTER = timedelta(minutes=1)


class Tokens:
    """A token lives until it is deleted."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def add(self, token: Token, secret: str) -> None:
        values = token.model_dump(include={"id", "name", "role", "created_at"}) | {"hash": secret_hash(secret)}
        async with self._engine.begin() as conn:
            await conn.execute(insert(TOKENS).values(values))

    async def find(self, secret: str) -> Principal | None:
        """Whose token it is, None when it is unknown."""
        async with self._engine.connect() as conn:
            row = (await conn.execute(select(TOKENS).where(TOKENS.c.hash == secret_hash(secret)))).first()
        if row is None:
            return None
        now = self._clock()
        if row.last_used_at is None or row.last_used_at < now - TOUCH_AFTER:
            async with self._engine.begin() as conn:
                await conn.execute(update(TOKENS).where(TOKENS.c.id == row.id).values(last_used_at=now))
        return Principal(row.id, row.name, "", row.role, "token")

    async def list(self, limit: int, cursor: str | None) -> Page[Token]:
        """By id, without the secrets, which nobody has."""
        columns = (TOKENS.c.id, TOKENS.c.name, TOKENS.c.role, TOKENS.c.created_at, TOKENS.c.last_used_at)
        query = select(*columns).order_by(TOKENS.c.id).limit(limit + 1)
        after = decode_cursor(cursor, 1)
        if after is not None:
            query = query.where(TOKENS.c.id > str(after[0]))
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query)).mappings().all()
        return page([Token(**row) for row in rows], limit, lambda token: (token.id,))

    async def delete(self, token_id: str) -> bool:
        """False when there is no such token."""
        async with self._engine.begin() as conn:
            return (await conn.execute(delete(TOKENS).where(TOKENS.c.id == token_id).returning(TOKENS.c.id))).first() is not None
