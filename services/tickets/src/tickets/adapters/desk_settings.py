"""How the desk is set up; without a row all is as it was delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import TicketSettings
from tickets.adapters.tables import desk_settings

NAME: Final = "tickets"


async def read_settings(conn: AsyncConnection, name: str) -> Row[Any] | None:
    return (await conn.execute(select(desk_settings).where(desk_settings.c.name == name))).first()


async def lock_settings(conn: AsyncConnection, name: str, delivered: Mapping[str, Any]) -> Row[Any]:
    """The row, locked for change; made of what was delivered where there is none."""
    await conn.execute(insert(desk_settings).values(name=name, value=dict(delivered)).on_conflict_do_nothing())
    return (await conn.execute(select(desk_settings).where(desk_settings.c.name == name).with_for_update())).one()


async def change_settings(conn: AsyncConnection, name: str, value: Mapping[str, Any]) -> None:
    raised = desk_settings.c.version + 1
    await conn.execute(update(desk_settings).where(desk_settings.c.name == name).values(value=dict(value), version=raised))


async def acknowledges_unchecked(conn: AsyncConnection) -> bool:
    """Whether a mail is acknowledged where the mailbox's provider does not write whether its sender is authentic."""
    row = await read_settings(conn, NAME)
    return bool((row.value if row else {}).get("acknowledge_unchecked", TicketSettings.model_fields["acknowledge_unchecked"].default))


async def undo_seconds(conn: AsyncConnection) -> int:
    """How long an answer waits, so that it can be taken back; 0: it leaves at once."""
    row = await read_settings(conn, NAME)
    return int((row.value if row else {}).get("undo_seconds", TicketSettings.model_fields["undo_seconds"].default))
