"""How the desk is set up; without a row all is as it was delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import desk_settings


async def read_settings(conn: AsyncConnection, name: str) -> Row[Any] | None:
    return (await conn.execute(select(desk_settings).where(desk_settings.c.name == name))).first()


async def lock_settings(conn: AsyncConnection, name: str, delivered: Mapping[str, Any]) -> Row[Any]:
    """The row, locked for change; made of what was delivered where there is none."""
    await conn.execute(insert(desk_settings).values(name=name, value=dict(delivered)).on_conflict_do_nothing())
    return (await conn.execute(select(desk_settings).where(desk_settings.c.name == name).with_for_update())).one()


async def change_settings(conn: AsyncConnection, name: str, value: Mapping[str, Any]) -> None:
    raised = desk_settings.c.version + 1
    await conn.execute(update(desk_settings).where(desk_settings.c.name == name).values(value=dict(value), version=raised))
