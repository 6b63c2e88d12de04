"""Console users in Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from console.adapters.tables import USERS
from console.domain.principal import Principal
from shared.api import Page, User
from shared.http import ProblemError, decode_cursor, not_found, page

VISIBLE = (USERS.c.id, USERS.c.email, USERS.c.name, USERS.c.role, USERS.c.created_at, USERS.c.last_sign_in_at)


@dataclass(frozen=True)
class Found:
    """A user with what proves who it is."""

    principal: Principal
    password_hash: str


class Users:
    """E-mail addresses are kept in lower case and are unique."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def by_email(self, email: str) -> Found | None:
        async with self._engine.connect() as conn:
            row = (await conn.execute(select(USERS).where(USERS.c.email == email.replace("\x00", "")))).first()
        return None if row is None else Found(principal_of(row), row.password_hash)

    async def add(self, user: User, password_hash: str) -> bool:
        """False when the address has a user."""
        async with self._engine.begin() as conn:
            return await add_user(conn, user, password_hash)

    async def list(self, limit: int, cursor: str | None) -> Page[User]:
        """By e-mail address."""
        query = select(*VISIBLE).order_by(USERS.c.email).limit(limit + 1)
        after = decode_cursor(cursor, 1)
        if after is not None:
            query = query.where(USERS.c.email > str(after[0]))
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query)).mappings().all()
        return page([User(**row) for row in rows], limit, lambda user: (user.email,))

    async def delete(self, user_id: str) -> Principal:
        """End the user and their sessions; returns who it was. Raises ProblemError 404, and 409 for the last administrator."""
        async with self._engine.begin() as conn:
            await conn.execute(text("lock table users in share row exclusive mode"))
            row = (await conn.execute(select(USERS).where(USERS.c.id == user_id))).first()
            if row is None:
                raise not_found("user", user_id)
            others = select(func.count()).where(USERS.c.role == "administrator", USERS.c.id != user_id)
            if row.role == "administrator" and not await conn.scalar(others):
                raise ProblemError(409, "The last administrator", "Make another user an administrator first.")
            await conn.execute(delete(USERS).where(USERS.c.id == user_id))
        return principal_of(row)

    async def change(self, user_id: str, values: dict[str, str]) -> Principal:
        """Set the columns given. Raises ProblemError 404 for a user deleted meanwhile."""
        async with self._engine.begin() as conn:
            if values:
                await conn.execute(update(USERS).where(USERS.c.id == user_id).values(**values))
            row = (await conn.execute(select(USERS).where(USERS.c.id == user_id))).first()
        if row is None:
            raise not_found("user", user_id)
        return principal_of(row)

    async def set_password(self, user_id: str, password_hash: str) -> None:
        await self._change(user_id, password_hash=password_hash)

    async def signed_in(self, user_id: str, at: datetime) -> None:
        await self._change(user_id, last_sign_in_at=at)

    async def _change(self, user_id: str, **values: Any) -> None:
        async with self._engine.begin() as conn:
            await conn.execute(update(USERS).where(USERS.c.id == user_id).values(**values))


async def add_user(conn: AsyncConnection, user: User, password_hash: str) -> bool:
    """Insert within a transaction; False when the address has a user."""
    values = user.model_dump(exclude={"last_sign_in_at"}) | {"password_hash": password_hash}
    statement = upsert(USERS).values(values).on_conflict_do_nothing(index_elements=["email"]).returning(USERS.c.id)
    return (await conn.execute(statement)).first() is not None


def principal_of(row: Row[Any]) -> Principal:
    """From a row with the user's columns."""
    return Principal(row.id, row.name, row.email, row.role, "user", row.mail_address)
