"""The outgoing ledger without a person: who was written to, what was said, the bytes that were sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.tables import OUTGOING
from shared.erasure.person import ERASED, Person
from shared.erasure.refusals import refusals
from shared.events import OutgoingMail
from shared.messaging.outbox import Unit
from shared.messaging.received import Received

ROWS: Final = 300
_LAST: Final = text("select max(position) from (select position from outgoing where position > :after order by position limit :rows) part")
# Besides the person's own: all on the tickets the person was answered on, whose subject and quoted text are the person's.
_CONCERNED: Final = text(
    """
    select * from (
        select o.*, o.state = 'sending' or o.claimed_until > now() as in_hand,
            exists (select 1 from recipients r where r.outgoing_id = o.id and lower(r.address) = :folded) as theirs,
            exists (select 1 from recipients r where r.outgoing_id = o.id and lower(r.address) <> :folded
                    and r.state in ('accepted', 'delayed')) as awaited,
            exists (select 1 from outgoing e join recipients r on r.outgoing_id = e.id
                    where e.ticket_id = o.ticket_id and lower(r.address) in (:folded, :erased) and e.created_at <= :before) as on_ticket
        from outgoing o where o.position > :after and o.position <= :last and o.created_at <= :before
    ) looked_at
    where theirs or on_ticket or event::text ilike :like or subject ilike :like or last_error ilike :like
    order by position
    """
)
# In the order in which dialogues lock them when they begin and end.
_LOCK = text("select from outgoing where id = any(cast(:ids as text[])) order by id for update")
# Of two spellings of one recipient one is left.
_DOUBLES: Final = text(
    """
    delete from recipients r using recipients other
    where r.outgoing_id = any(cast(:ids as text[])) and other.outgoing_id = r.outgoing_id
      and lower(r.address) = :folded and lower(other.address) = :folded and r.address > other.address
    """
)
_RECIPIENTS: Final = text(
    """
    update recipients set address = :erased, mailbox = null, detail = ''
    where outgoing_id = any(cast(:ids as text[])) and lower(address) = :folded
    """
)
_TRIES: Final = text("update tries set detail = '' where outgoing_id = any(cast(:ids as text[])) and detail ilike :like")


async def refuse(unit: Unit, received: Received[OutgoingMail]) -> bool:
    """Whether the answer goes to somebody erased since it was written. Its id is kept, so that no later copy of it is sent either."""
    mail = received.body
    people = {one.address for one in (*mail.to, *mail.cc)}
    refused = await refusals(unit.conn, people)
    if not any(refused.covers(one, received.envelope.time) for one in people):
        return False
    row = {
        "id": mail.outgoing_id,
        "ticket_id": mail.ticket_id,
        "scanner_id": mail.scanner_id,
        "message_id": mail.message_id.replace("\x00", ""),
        "state": "cancelled",
        "last_error": "a recipient was erased",
    }
    await unit.conn.execute(insert(OUTGOING).values(row | without_content(row)).on_conflict_do_nothing())
    return True


def without_content(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of an answer to the person: that there was one, and its ids."""
    event = {"outgoing_id": row["id"], "type": "cancel", "ticket_id": row["ticket_id"]}
    return {"event": event, "cause": {}, "subject": ERASED, "mime_key": None, "blobs": [], "envelope_from": None, "text": None}


async def last_of(conn: AsyncConnection, after: int) -> int | None:
    """Position of the last of the next answers; None where there are no more."""
    last: int | None = await conn.scalar(_LAST, {"after": after, "rows": ROWS})
    return last


async def concerned(conn: AsyncConnection, person: Person, before: Any, after: int, last: int) -> Sequence[Row[Any]]:
    """Answers at these positions to the person (`theirs`), on a ticket the person was answered on (`on_ticket`), or that name the address.

    `in_hand`: somebody sends it at this moment; `awaited`: others than the person still wait for it. The rows are locked, so that no
    dialogue begins before the transaction ends.
    """
    values = {"folded": person.folded, "like": person.like, "erased": ERASED, "before": before, "after": after, "last": last}
    ids = [row.id for row in await conn.execute(_CONCERNED, values)]
    if ids:
        await conn.execute(_LOCK, {"ids": ids})
    return (await conn.execute(_CONCERNED, values)).all() if ids else []


async def put(conn: AsyncConnection, outgoing_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(OUTGOING).where(OUTGOING.c.id == outgoing_id).values(dict(values)))


async def forget_recipients(conn: AsyncConnection, ids: Collection[str], person: Person) -> None:
    """Who they were, and what servers said of them."""
    values = {"ids": list(ids), "folded": person.folded, "like": person.like}
    await conn.execute(_DOUBLES, values)
    await conn.execute(_RECIPIENTS, values | {"erased": ERASED})
    await conn.execute(_TRIES, values)
