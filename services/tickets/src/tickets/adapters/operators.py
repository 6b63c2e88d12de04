"""Who works here, as far as this service can know: whoever changed a ticket, wrote on one or was given one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import operators
from tickets.domain.keys import address_key
from tickets.domain.spam import canonical

_ACTOR = "user:"
_BELOW = text(
    "select e from unnest(cast(:entries as text[])) e where exists ("
    "select from operators where right(address, length(e)) = e or right(address, length(e)) = '.' || substr(e, 2))"
)


async def add_operators(conn: AsyncConnection, people: Iterable[str | None]) -> None:
    """Remember actors (`user:<address>`) and assignees; what is no address is left out."""
    keys = sorted({canonical(address_key((one or "").removeprefix(_ACTOR))) for one in people} - {""})
    if keys:
        await conn.execute(insert(operators).on_conflict_do_nothing(), [{"address": key} for key in keys])


async def operators_among(conn: AsyncConnection, keys: Collection[str]) -> frozenset[str]:
    """Those of the folded addresses that are operators'."""
    found = await conn.execute(select(operators.c.address).where(operators.c.address.in_(keys)))
    return frozenset(found.scalars())


async def domains_of_operators(conn: AsyncConnection, entries: Collection[str]) -> frozenset[str]:
    """Those of the domains (`@shop.example`) below which an operator has his address."""
    return frozenset((await conn.execute(_BELOW, {"entries": list(entries)})).scalars())
