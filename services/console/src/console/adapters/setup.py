"""The one-time set-up link: it makes the first administrator, and holds only while there is none."""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy import delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from console.adapters.tables import SETUP, USERS
from console.adapters.users import add_user
from console.secret import new_secret
from console.settings import Settings
from shared.api import User

SETUP_LOCK = 0x4D43_5345


class SetupLink:
    """The database keeps a random number only; the token is its HMAC, so that every replica and restart gives the same link."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._key = settings.service_token.get_secret_value().encode()
        self._public_url = settings.public_url

    async def url(self) -> str | None:
        """The link to give to whoever installs, None once there is an administrator."""
        async with self._engine.begin() as conn:
            if await _has_administrator(conn):
                return None
            await conn.execute(insert(SETUP).values(nonce=new_secret()).on_conflict_do_nothing())
            nonce = (await conn.execute(select(SETUP.c.nonce))).scalar_one()
        return f"{self._public_url}/setup?token={self._token(nonce)}"

    async def is_open(self, token: str) -> bool:
        """True while this token would make an administrator."""
        async with self._engine.connect() as conn:
            return await self._holds(conn, token)

    async def use(self, token: str, user: User, password_hash: str) -> bool:
        """Add the administrator and close the link, in one transaction. False when the link does not hold."""
        async with self._engine.begin() as conn:
            await conn.execute(text("select pg_advisory_xact_lock(:number)"), {"number": SETUP_LOCK})
            if not await self._holds(conn, token) or not await add_user(conn, user, password_hash):
                return False
            await conn.execute(delete(SETUP))
        return True

    async def _holds(self, conn: AsyncConnection, token: str) -> bool:
        nonce = (await conn.execute(select(SETUP.c.nonce))).scalar_one_or_none()
        if nonce is None or await _has_administrator(conn):
            return False
        return hmac.compare_digest(self._token(nonce).encode(), token.encode())

    def _token(self, nonce: str) -> str:
        return hmac.new(self._key, f"setup-link:{nonce}".encode(), hashlib.sha256).hexdigest()


async def _has_administrator(conn: AsyncConnection) -> bool:
    return bool(await conn.scalar(select(exists().where(USERS.c.role == "administrator"))))
