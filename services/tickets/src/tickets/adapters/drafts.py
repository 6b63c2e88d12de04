"""What operators are writing, one draft for each of them on a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import DRAFT_VERSIONS, drafts

MAX_BODY: Final = 100_000
"""Characters, as the API takes them."""
_GIVE_BACK: Final = text(
    """
    insert into drafts as known (ticket_id, actor, body, mode, cc, attachments, quote)
    values (:ticket_id, :actor, :body, :mode, cast(:cc as jsonb), cast(:attachments as text[]), :quote)
    on conflict (ticket_id, actor) do update set
        body = left(excluded.body || case when known.body in ('', excluded.body) then '' else E'\\n\\n' || known.body end, :longest),
        mode = excluded.mode, cc = excluded.cc, quote = excluded.quote, attachments = (excluded.attachments || known.attachments)[1:50],
        version = nextval('draft_versions'), updated_at = now()
    """
)
_MOVE: Final = text(
    """
    insert into drafts as known (ticket_id, actor, body, mode, cc, attachments, quote, updated_at)
    select :into, actor, body, mode, cc, attachments, quote, updated_at from drafts where ticket_id = :ticket
    on conflict (ticket_id, actor) do update set
        body = left(known.body || E'\\n\\n' || excluded.body, :longest), attachments = (known.attachments || excluded.attachments)[1:50],
        version = nextval('draft_versions'), updated_at = now()
    """
)
_OLD: Final = text(
    """
    delete from drafts where (ticket_id, actor) in (
        select ticket_id, actor from drafts where updated_at < :before order by updated_at limit :rows for update skip locked)
    """
)


async def get_draft(conn: AsyncConnection, ticket_id: int, actor: str, *, lock: bool = False) -> Row[Any] | None:
    query = select(drafts).where(drafts.c.ticket_id == ticket_id, drafts.c.actor == actor)
    return (await conn.execute(query.with_for_update() if lock else query)).first()


async def put_draft(conn: AsyncConnection, values: Mapping[str, Any]) -> Row[Any]:
    """In place of the one that is there."""
    statement = insert(drafts).values(dict(values))
    changes: dict[str, Any] = {name: statement.excluded[name] for name in ("body", "mode", "cc", "attachments", "quote")}
    changes |= {"version": DRAFT_VERSIONS.next_value(), "updated_at": func.now()}
    statement = statement.on_conflict_do_update(index_elements=["ticket_id", "actor"], set_=changes)
    row: Row[Any] = (await conn.execute(statement.returning(drafts))).one()
    return row


async def give_back(conn: AsyncConnection, values: Mapping[str, Any]) -> None:
    """An answer taken back is the draft again, with what its operator has begun since behind it. `cc` is JSON."""
    await conn.execute(_GIVE_BACK, {**values, "longest": MAX_BODY})


async def delete_draft(conn: AsyncConnection, ticket_id: int, actor: str, *, mode: str | None = None) -> None:
    """`mode`: only a draft of that mode."""
    theirs = delete(drafts).where(drafts.c.ticket_id == ticket_id, drafts.c.actor == actor)
    await conn.execute(theirs if mode is None else theirs.where(drafts.c.mode == mode))


async def move_drafts(conn: AsyncConnection, ticket_id: int, into: int) -> None:
    """Into the ticket the other is merged into; who writes on both has both texts in one."""
    await conn.execute(_MOVE, {"ticket": ticket_id, "into": into, "longest": MAX_BODY})
    await conn.execute(delete(drafts).where(drafts.c.ticket_id == ticket_id))


async def writing(conn: AsyncConnection, ticket_id: int, but: str, since: datetime) -> list[str]:
    """Actors other than `but` who changed a draft there since."""
    query = select(drafts.c.actor).where(drafts.c.ticket_id == ticket_id, drafts.c.actor != but, drafts.c.updated_at > since)
    return list((await conn.execute(query.order_by(drafts.c.actor))).scalars())


async def remove_old_drafts(conn: AsyncConnection, before: datetime, limit: int) -> int:
    """Not touched since; returns how many."""
    return (await conn.execute(_OLD, {"before": before, "rows": limit})).rowcount
