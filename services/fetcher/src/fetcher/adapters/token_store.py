"""Tokens and sign-ins that are under way, in the database. Whoever renews has claimed it for a while: nobody else does meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.scanners import wake
from fetcher.adapters.tables import OAUTH, SCANNERS, SIGN_INS

SIGN_IN_TIME = timedelta(minutes=10)
FRESH = {"access_token": "", "expires_at": None, "renewed_at": None, "renew_after": None, "error": None}


def place(scanner_id: str, name: str) -> str:
    """What a sealed secret is bound to: client_secret, refresh_token or access_token."""
    return f"scanner:{scanner_id}:{name}"


def verifier_place(state: str) -> str:
    """What a sealed PKCE verifier is bound to."""
    return f"sign_in:{state}"


async def of(conn: AsyncConnection, scanner_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Rows by scanner id."""
    found = await conn.execute(select(OAUTH).where(OAUTH.c.scanner_id.in_(scanner_ids)))
    return {row.scanner_id: row for row in found}


async def put_secrets(conn: AsyncConnection, scanner_id: str, sealed: Mapping[str, str]) -> None:
    """New settings: the access token that was got with others is forgotten, and so is a renewal under way."""
    values = {**FRESH, **sealed}
    statement = upsert(OAUTH).values(scanner_id=scanner_id, **values)
    await conn.execute(statement.on_conflict_do_update(index_elements=[OAUTH.c.scanner_id], set_=values))


async def claim(conn: AsyncConnection, scanner_id: str, seconds: float) -> Row[Any] | None:
    """The right to renew, as the row with `renew_after` to show; None where somebody else has it."""
    free = or_(OAUTH.c.renew_after.is_(None), OAUTH.c.renew_after < func.now())
    values = {"renew_after": func.now() + timedelta(seconds=seconds)}
    statement = update(OAUTH).where(OAUTH.c.scanner_id == scanner_id, free).values(values).returning(OAUTH)
    row: Row[Any] | None = (await conn.execute(statement)).first()
    return row


async def renewed(conn: AsyncConnection, claimed: Row[Any], sealed: Mapping[str, str], seconds: int) -> bool:
    """Keep what the provider gave, in place of what it was got with; False where the settings were changed meanwhile."""
    return await _end(conn, claimed, {**sealed, **_times(seconds)})


async def release(conn: AsyncConnection, claimed: Row[Any]) -> None:
    """Nothing is to be renewed."""
    await _end(conn, claimed, {"renew_after": None})


async def failed(conn: AsyncConnection, claimed: Row[Any], error: str, pause: float) -> None:
    """`pause`: seconds that the provider is left alone."""
    await _end(conn, claimed, {"error": error[:1000], "renew_after": func.now() + timedelta(seconds=pause)})


async def _end(conn: AsyncConnection, claimed: Row[Any], values: Mapping[str, Any]) -> bool:
    mine = and_(OAUTH.c.scanner_id == claimed.scanner_id, OAUTH.c.renew_after == claimed.renew_after)
    return (await conn.execute(update(OAUTH).where(mine).values(**values).returning(OAUTH.c.scanner_id))).first() is not None


# --- somebody signs in --------------------------------------------------------------------------------------------------------------


async def begin_sign_in(conn: AsyncConnection, state: str, scanner_id: str, sealed_verifier: str, redirect_uri: str) -> None:
    """Good for ten minutes; those that nobody ended are forgotten on the way."""
    await conn.execute(delete(SIGN_INS).where(SIGN_INS.c.created_at < func.now() - SIGN_IN_TIME))
    values = {"state": state, "scanner_id": scanner_id, "verifier": sealed_verifier, "redirect_uri": redirect_uri}
    await conn.execute(insert(SIGN_INS).values(values))


async def end_sign_in(conn: AsyncConnection, state: str) -> Row[Any] | None:
    """Once: the second time there is none."""
    mine = and_(SIGN_INS.c.state == state, SIGN_INS.c.created_at > func.now() - SIGN_IN_TIME)
    row: Row[Any] | None = (await conn.execute(delete(SIGN_INS).where(mine).returning(SIGN_INS))).first()
    return row


async def signed_in(conn: AsyncConnection, scanner_id: str, sealed: Mapping[str, str], seconds: int) -> None:
    """Keep what a sign-in gave; the mailbox is scanned at once, as if it had never failed."""
    values = {"next_scan_at": func.now(), "failures": 0, "last_error": None}
    await conn.execute(update(SCANNERS).where(SCANNERS.c.id == scanner_id).values(values))
    await conn.execute(update(OAUTH).where(OAUTH.c.scanner_id == scanner_id).values(**sealed, **_times(seconds)))
    await wake(conn, scanner_id)


def _times(seconds: int) -> dict[str, Any]:
    return {"expires_at": func.now() + timedelta(seconds=seconds), "renewed_at": func.now(), "renew_after": None, "error": None}
