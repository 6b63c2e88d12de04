"""Tokens and sign-ins that are under way, in the database. Whoever renews has claimed it for a while: nobody else does meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.oauth.tables import OAuthTables

SIGN_IN_TIME = timedelta(minutes=10)
FRESH = {"access_token": "", "expires_at": None, "renewed_at": None, "renew_after": None, "error": None}
SECRETS = ("client_secret", "refresh_token")


def verifier_place(state: str) -> str:
    """What a sealed PKCE verifier is bound to."""
    return f"sign_in:{state}"


class TokenStore:
    """Reads and writes on the caller's transaction."""

    def __init__(self, tables: OAuthTables) -> None:
        self.tables = tables
        self._tokens = tables.tokens
        self._sign_ins = tables.sign_ins
        self._id = tables.tokens.c[tables.column]

    def place(self, holder_id: str, name: str) -> str:
        """What a sealed secret is bound to: client_secret, refresh_token or access_token."""
        return f"{self.tables.holder}:{holder_id}:{name}"

    def holder_of(self, row: Row[Any]) -> str:
        """The id in a row of either table."""
        return str(getattr(row, self.tables.column))

    async def of(self, conn: AsyncConnection, holder_ids: Sequence[str]) -> dict[str, Row[Any]]:
        """Rows by their holder's id."""
        found = await conn.execute(select(self._tokens).where(self._id.in_(holder_ids)))
        return {self.holder_of(row): row for row in found}

    async def put_secrets(self, conn: AsyncConnection, holder_id: str, sealed: Mapping[str, str]) -> None:
        """New settings: the access token that was got with others is forgotten, and so is a renewal under way."""
        values = {**FRESH, **sealed}
        statement = upsert(self._tokens).values({self.tables.column: holder_id, **values})
        await conn.execute(statement.on_conflict_do_update(index_elements=[self._id], set_=values))

    async def claim(self, conn: AsyncConnection, holder_id: str, seconds: float) -> Row[Any] | None:
        """The right to renew, as the row with `renew_after` to show; None where somebody else has it."""
        column = self._tokens.c.renew_after
        free = or_(column.is_(None), column < func.now())
        values = {"renew_after": func.now() + timedelta(seconds=seconds)}
        statement = update(self._tokens).where(self._id == holder_id, free).values(values).returning(self._tokens)
        row: Row[Any] | None = (await conn.execute(statement)).first()
        return row

    async def renewed(self, conn: AsyncConnection, claimed: Row[Any], sealed: Mapping[str, str], seconds: int) -> bool:
        """Keep what the provider gave, in place of what it was got with; False where the settings were changed meanwhile."""
        return await self._end(conn, claimed, {**sealed, **_times(seconds)})

    async def release(self, conn: AsyncConnection, claimed: Row[Any]) -> None:
        """Nothing is to be renewed."""
        await self._end(conn, claimed, {"renew_after": None})

    async def failed(self, conn: AsyncConnection, claimed: Row[Any], error: str, pause: float) -> None:
        """`pause`: seconds that the provider is left alone."""
        await self._end(conn, claimed, {"error": error[:1000], "renew_after": func.now() + timedelta(seconds=pause)})

    async def _end(self, conn: AsyncConnection, claimed: Row[Any], values: Mapping[str, Any]) -> bool:
        mine = and_(self._id == self.holder_of(claimed), self._tokens.c.renew_after == claimed.renew_after)
        return (await conn.execute(update(self._tokens).where(mine).values(**values).returning(self._id))).first() is not None

    # --- somebody signs in ----------------------------------------------------------------------------------------------------------

    async def begin_sign_in(self, conn: AsyncConnection, state: str, holder_id: str, sealed_verifier: str, redirect_uri: str) -> None:
        """Good for ten minutes; those that nobody ended are forgotten on the way."""
        await conn.execute(delete(self._sign_ins).where(self._sign_ins.c.created_at < func.now() - SIGN_IN_TIME))
        values = {"state": state, self.tables.column: holder_id, "verifier": sealed_verifier, "redirect_uri": redirect_uri}
        await conn.execute(insert(self._sign_ins).values(values))

    async def end_sign_in(self, conn: AsyncConnection, state: str) -> Row[Any] | None:
        """Once: the second time there is none."""
        mine = and_(self._sign_ins.c.state == state, self._sign_ins.c.created_at > func.now() - SIGN_IN_TIME)
        row: Row[Any] | None = (await conn.execute(delete(self._sign_ins).where(mine).returning(self._sign_ins))).first()
        return row

    async def signed_in(self, conn: AsyncConnection, holder_id: str, sealed: Mapping[str, str], seconds: int) -> None:
        """Keep what a sign-in gave."""
        await conn.execute(update(self._tokens).where(self._id == holder_id).values(**sealed, **_times(seconds)))


def _times(seconds: int) -> dict[str, Any]:
    return {"expires_at": func.now() + timedelta(seconds=seconds), "renewed_at": func.now(), "renew_after": None, "error": None}
