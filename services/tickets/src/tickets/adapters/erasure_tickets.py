"""Tickets with their messages and people, a part after the other: what is to be erased there, and how it is written back.

Everything of a ticket has an index by its number, so one walk over the numbers finds all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.erasure.person import ERASED, GONE_TEXT, Person
from tickets.adapters.search_queue import read_again
from tickets.adapters.tables import messages, outgoing, ticket_changes, tickets
from tickets.domain.keys import counted_key

TICKETS: Final = 200
_LAST: Final = text("select max(id) from (select id from tickets where id > :after order by id limit :rows) part")
# Opened by a mail of before; where the person wrote to it since, people are left as they are.
_TICKETS: Final = text(
    """
    select id, title, recipients, sender_folded = :folded as opened, exists (
        select 1 from messages m where m.ticket_id = t.id and m.received_at > :before and lower(m.sender) = :folded) as alive
    from tickets t
    where id > :after and id <= :last and (sender_folded = :folded or recipients::text ilike :like
        or exists (select 1 from participants p where p.ticket_id = t.id and p.address = :folded)
        or exists (select 1 from watchers w where w.ticket_id = t.id and w.folded = :folded))
      and not exists (select 1 from messages m where m.id = (
          select id from messages f where f.ticket_id = t.id order by received_at, order_id limit 1) and m.received_at > :before)
    order by id for no key update of t
    """
)
_MESSAGES: Final = text(
    """
    select id, ticket_id, direction, sender, reply_to, recipients, cc, text, message_id from messages
    where ticket_id > :after and ticket_id <= :last and received_at <= :before and (
        sender ilike :like or recipients::text ilike :like or cc::text ilike :like or reply_to::text ilike :like
        or (direction = 'out' and text ilike :like))
    order by id for update
    """
)
_CHANGES: Final = text(
    """
    select id, ticket_id, actor, changes from ticket_changes
    where ticket_id > :after and ticket_id <= :last and at <= :until
      and (ticket_id = any(cast(:opened as bigint[])) or changes::text ilike :like or actor ilike :like)
    order by id
    """
)
_OUTGOING: Final = text(
    """
    select message_id, ticket_id, body from outgoing
    where ticket_id > :after and ticket_id <= :last and sent_at <= :until
      and (ticket_id = any(cast(:opened as bigint[])) or body::text ilike :like)
    order by message_id for update
    """
)
_DELIVERIES: Final = (
    # Of two spellings of one recipient one is left.
    text(
        """
        delete from deliveries d using deliveries other
        where d.message_id = any(cast(:answers as text[])) and other.message_id = d.message_id
          and lower(d.recipient) = :folded and lower(other.recipient) = :folded and d.recipient > other.recipient
        """
    ),
    text(
        """
        update deliveries set recipient = :erased, detail = '',
            state = case when state in ('queued', 'accepted', 'delayed') then 'cancelled' else state end
        where message_id = any(cast(:answers as text[])) and lower(recipient) = :folded
        """
    ),
)
_CAME_BACK: Final = (
    text(
        """
        delete from message_reports r using messages m
        where m.id = r.message_id and m.ticket_id > :after and m.ticket_id <= :last and r.at <= :before
          and (r.message_id = any(cast(:answers as text[])) or r.recipient ilike :like or r.detail ilike :like)
        """
    ),
    text("delete from automatic_mails where recipient = :counted"),
    # Who did not get an answer is the person, or cannot be told from the words.
    text(
        """
        update tickets set attention = null, version = version + 1
        where id > :after and id <= :last and attention is not null and (id = any(cast(:tickets as bigint[])) or attention ilike :like)
        """
    ),
    text("update deliveries set flagged = false where flagged and message_id = any(cast(:answers as text[])) and recipient = :erased"),
)
_PEOPLE: Final = (
    text("delete from participants where ticket_id = any(cast(:tickets as bigint[])) and address = :folded"),
    text("delete from watchers where ticket_id = any(cast(:tickets as bigint[])) and folded = :folded"),
)
_SHOWN_ELSEWHERE: Final = (
    text("delete from ticket_search where ticket_id = any(cast(:tickets as bigint[]))"),
    text("delete from webhook_deliveries where ticket_id = any(cast(:tickets as bigint[]))"),
)


@dataclass(frozen=True)
class Part:
    """Tickets above `after`, up to `last`, as far as they are of before."""

    person: Person
    before: datetime
    until: datetime
    after: int
    last: int

    def values(self, **more: Any) -> dict[str, Any]:
        """Parameters of the queries."""
        own = {"folded": self.person.folded, "counted": counted_key(self.person.folded), "like": self.person.like}
        return own | {"before": self.before, "until": self.until, "after": self.after, "last": self.last} | more


async def last_of(conn: AsyncConnection, after: int) -> int | None:
    """Number of the last of the next tickets; None where there are no more."""
    last: int | None = await conn.scalar(_LAST, {"after": after, "rows": TICKETS})
    return last


async def tickets_of(conn: AsyncConnection, part: Part) -> Sequence[Row[Any]]:
    """Tickets the person opened, takes part in, or is named by, locked."""
    return (await conn.execute(_TICKETS, part.values())).all()


async def messages_of(conn: AsyncConnection, part: Part) -> Sequence[Row[Any]]:
    """Messages that may name the person, locked."""
    return (await conn.execute(_MESSAGES, part.values())).all()


async def empty_tickets(conn: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
    """Those the person opened; a sender who wrote since is still the sender."""
    for row in rows:
        gone: dict[str, Any] = {
            "title": ERASED,
            "folded_title": "",
            "description": GONE_TEXT,
            "recipients": [],
            "external_code": None,
            "folded_code": None,
            "version": tickets.c.version + 1,
            "updated_at": func.now(),
        }
        if not row.alive:
            gone |= {"sender": None, "sender_folded": None, "contact_id": None}
        await conn.execute(update(tickets).where(tickets.c.id == row.id).values(gone))


async def put_recipients(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`key` and the recipients of tickets of others."""
    if rows:
        await conn.execute(update(tickets).where(tickets.c.id == bindparam("key")).values(recipients=bindparam("others")), list(rows))


async def empty_messages(conn: AsyncConnection, ids: Sequence[str], message_ids: Sequence[str]) -> int:
    """The person's own messages: nothing stays but that there was one. Returns how many attachments they had."""
    gone: dict[str, Any] = {"sender": ERASED, "sender_name": "", "text": GONE_TEXT, "html": None, "message_id": None}
    gone |= {name: [] for name in ("reply_to", "recipients", "cc", "folds", "in_reply_to", "references")}
    await conn.execute(update(messages).where(messages.c.id.in_(ids)).values(gone))
    await conn.execute(text("delete from message_ids where message_id = any(cast(:ids as text[]))"), {"ids": list(message_ids)})
    removed = await conn.execute(text("delete from attachments where message_id = any(cast(:ids as text[]))"), {"ids": list(ids)})
    return removed.rowcount


async def put_messages(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`key` and what other people's messages, and ours, say without the person."""
    if rows:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("reply_to", "recipients", "cc", "text")}
        await conn.execute(update(messages).where(messages.c.id == bindparam("key")).values(values), list(rows))


async def forget_references(conn: AsyncConnection, ids: Sequence[str]) -> None:
    """Our answers to the person no longer say which message of the person's they answer."""
    await conn.execute(update(messages).where(messages.c.id.in_(ids)).values(in_reply_to=[], references=[]))


async def changes_of(conn: AsyncConnection, part: Part, opened: Sequence[int]) -> Sequence[Row[Any]]:
    """Entries of the history that may tell the title of a ticket the person opened, or name the address."""
    return (await conn.execute(_CHANGES, part.values(opened=list(opened)))).all()


async def put_changes(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`key`, actor and changes."""
    if rows:
        values: dict[str, Any] = {"actor": bindparam("who"), "changes": bindparam("told")}
        await conn.execute(update(ticket_changes).where(ticket_changes.c.id == bindparam("key")).values(values), list(rows))


async def outgoing_of(conn: AsyncConnection, part: Part, opened: Sequence[int]) -> Sequence[Row[Any]]:
    """Answers on tickets the person opened, and those that name the address, locked."""
    return (await conn.execute(_OUTGOING, part.values(opened=list(opened)))).all()


async def put_outgoing(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`key`, `content`, and `open`: whether the sweep still looks after it. It cannot be taken back any more."""
    if rows:
        values: dict[str, Any] = {"body": bindparam("content"), "waiting": outgoing.c.waiting & bindparam("open"), "draft": None}
        await conn.execute(update(outgoing).where(outgoing.c.message_id == bindparam("key")).values(values), list(rows))


async def forget_people(conn: AsyncConnection, part: Part, ticket_ids: Sequence[int], answers: Sequence[str]) -> None:
    """Participants, watchers, recipients of answers, and what came back about these."""
    values = part.values(tickets=list(ticket_ids), answers=list(answers), erased=ERASED)
    for statement in (*_PEOPLE, *_DELIVERIES, *_CAME_BACK):
        await conn.execute(statement, values)


async def forget_shown(conn: AsyncConnection, ticket_ids: Sequence[int]) -> None:
    """What else knows the tickets' words: the search, which reads them anew, and what webhooks were told."""
    for statement in _SHOWN_ELSEWHERE:
        await conn.execute(statement, {"tickets": list(ticket_ids)})
    await read_again(conn, list(ticket_ids))
