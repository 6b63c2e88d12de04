"""Moves messages from a ticket to another, with all that came with them: files, answers, outcomes, people, Message-IDs.

What is learned keeps its place in the history: a ticket with the messages of two is as if it had had them from the beginning.
All of it under `moves.begin_move`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import CommandMail, OutcomeType
from tickets.adapters.desk import mail_state
from tickets.adapters.drafts import move_drafts
from tickets.adapters.tables import mails, message_ids, participants
from tickets.domain.keys import id_key
from tickets.domain.learned import people
from tickets.domain.split_off import ids_split_off
from tickets.domain.state import MailState

_WHERE_IT_WENT = text(
    """
    with recursive way(id, merged_into) as (
        select id, merged_into from tickets where id = :ticket
        union select t.id, t.merged_into from tickets t join way on t.id = way.merged_into
    )
    select id from way where merged_into is null
    """
)
_MESSAGES = text("update messages set ticket_id = :into, first_ticket_id = coalesce(first_ticket_id, ticket_id) where ticket_id = :ticket")
_MESSAGE = text("update messages set ticket_id = :into, first_ticket_id = coalesce(first_ticket_id, ticket_id) where id = :message")
_WITH_THEM = [text(f"update {table} set ticket_id = :into where ticket_id = :ticket") for table in ("attachments", "outgoing", "uploads")]  # noqa: S608 -- names of our own
_MESSAGE_FILES = text("update attachments set ticket_id = :into where message_id = :message")
_IDS = text(
    """
    insert into message_ids as known (message_id, ticket_id, scanner_id, origin, created_at, history_id, mail_history_id, answer_id)
    select message_id, :into, scanner_id, origin, created_at, history_id, mail_history_id, answer_id
    from message_ids where ticket_id = :ticket
    on conflict (message_id, ticket_id) do update set
        origin = case when 'ours' in (known.origin, excluded.origin) then 'ours'
            when 'mail' in (known.origin, excluded.origin) then 'mail' else 'referred' end,
        history_id = least(known.history_id, excluded.history_id),
        mail_history_id = least(known.mail_history_id, excluded.mail_history_id),
        answer_id = coalesce(known.answer_id, excluded.answer_id)
    """
)
_PEOPLE = text(
    """
    insert into participants as known (ticket_id, address, history_id)
    select :into, address, history_id from participants where ticket_id = :ticket
    on conflict (ticket_id, address) do update set history_id = least(known.history_id, excluded.history_id)
    """
)
_WATCHERS = text(
    """
    insert into watchers (ticket_id, folded, address, name, removed, created_at)
    select :into, folded, address, name, removed, created_at from watchers where ticket_id = :ticket
    on conflict do nothing
    """
)
_LEFT = [
    text("delete from message_ids where ticket_id = :ticket"),
    text("delete from participants where ticket_id = :ticket"),
    text("delete from watchers where ticket_id = :ticket"),
]
_REFERRED_STILL = text(
    """
    select k from unnest(cast(:texts as text[])) k where exists (
        select 1 from messages m where m.ticket_id = :ticket and (k = any(m.in_reply_to) or k = any(m."references"))
    )
    """
)


@dataclass(frozen=True)
class SplitOff:
    """Of the mail whose message became a ticket."""

    scanner_id: str
    history_id: int
    own: frozenset[str]
    """The mailboxes' own addresses."""


async def where_it_went(conn: AsyncConnection, ticket_id: int) -> int:
    """The ticket that has its messages now: itself, unless it was merged."""
    return int(await conn.scalar(_WHERE_IT_WENT, {"ticket": ticket_id}) or ticket_id)


async def move_all(conn: AsyncConnection, ticket_id: int, into: int) -> None:
    """Messages with files and answers, what is being written, who takes part, who watches, and which Message-IDs lead there."""
    values = {"ticket": ticket_id, "into": into}
    for statement in (_MESSAGES, *_WITH_THEM, _IDS, _PEOPLE, _WATCHERS):
        await conn.execute(statement, values)
    for statement in _LEFT:
        await conn.execute(statement, {"ticket": ticket_id})
    await move_drafts(conn, ticket_id, into)


async def move_message(conn: AsyncConnection, message_id: str, into: int) -> None:
    """One message with its files."""
    values = {"message": message_id, "into": into}
    await conn.execute(_MESSAGE, values)
    await conn.execute(_MESSAGE_FILES, values)


async def learn_split_off(conn: AsyncConnection, mail: CommandMail, ticket_id: int, into: int, learned: SplitOff) -> None:
    """Who takes part in the new ticket, and which Message-IDs lead to it and to the old one no more. The message has moved already."""
    texts = {one: id_key(one) for one in [*mail.in_reply_to, *mail.references]}
    found = await conn.execute(_REFERRED_STILL, {"texts": list(texts), "ticket": ticket_id})
    on_old = select(message_ids.c.message_id, message_ids.c.origin).where(message_ids.c.ticket_id == ticket_id)
    known = {row.message_id: row.origin for row in await conn.execute(on_old.where(message_ids.c.message_id.in_(list(texts.values()))))}
    ids = ids_split_off(mail, known, {texts[one] for one in found.scalars()})
    await conn.execute(delete(message_ids).where(message_ids.c.ticket_id == ticket_id, message_ids.c.message_id.in_(list(ids))))
    common = {"ticket_id": into, "history_id": learned.history_id}
    rows = [{**common, "message_id": key, "origin": origin, "scanner_id": learned.scanner_id} for key, origin in ids.items()]
    takers = [{**common, "address": address} for address in sorted(people(mail, learned.own))]
    for table, given in ((message_ids, rows), (participants, takers)):
        if given:
            await conn.execute(insert(table), given)


async def redirect_mails(conn: AsyncConnection, ticket_id: int, into: int, reason: str, at: datetime) -> list[MailState]:
    """The outcome of the ticket's mails names the other one, with a higher revision; returns the new outcomes."""
    return await _redirect(conn, mails.c.ticket_id == ticket_id, {"ticket_id": into, "reason": reason, "at": at})


async def redirect_mail(conn: AsyncConnection, mail_id: str, into: int, reason: str, at: datetime) -> list[MailState]:
    """The outcome of this mail is that it opened the ticket."""
    values = {"ticket_id": into, "type": OutcomeType.TICKET, "reason": reason, "at": at}
    return await _redirect(conn, mails.c.mail_id == mail_id, values)


async def _redirect(conn: AsyncConnection, which: ColumnElement[bool], values: dict[str, Any]) -> list[MailState]:
    statement = update(mails).where(which).values({**values, "revision": mails.c.revision + 1}).returning(mails)
    return [mail_state(row) for row in await conn.execute(statement)]
