"""Messages with their attachments and deliveries, in the order a ticket shows them: (INTERNALDATE, mail id)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import OutgoingMail, OutgoingMode
from shared.mail.model import Address
from tickets.adapters.search_queue import read_again
from tickets.adapters.tables import attachments, deliveries, mails, message_ids, messages, participants
from tickets.domain.answer import LastMail
from tickets.domain.keys import address_key, id_key
from tickets.domain.state import OURS_ORIGIN
from tickets.domain.storable import without_nul


async def list_messages(conn: AsyncConnection, ticket_id: int, after: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    query = select(messages).where(messages.c.ticket_id == ticket_id)
    if after is not None:
        query = query.where(tuple_(messages.c.received_at, messages.c.order_id) > tuple_(*after))
    return (await conn.execute(query.order_by(messages.c.received_at, messages.c.order_id).limit(limit))).all()


async def get_message(conn: AsyncConnection, message_id: str) -> Row[Any] | None:
    return (await conn.execute(select(messages).where(messages.c.id == message_id))).first()


async def get_mail_message(conn: AsyncConnection, ticket_id: int, message_id: str) -> Row[Any] | None:
    """The message, where it is on this ticket, with its mail's `scanner_id`, `archive_key` and `history_id`; null where it is no mail."""
    columns: list[Any] = [messages, mails.c.scanner_id, mails.c.archive_key, mails.c.history_id]
    query = select(*columns).outerjoin(mails, mails.c.mail_id == messages.c.mail_id)
    query = query.where(messages.c.id == message_id.replace("\x00", ""), messages.c.ticket_id == ticket_id)
    return (await conn.execute(query)).first()


async def count_messages(conn: AsyncConnection, ticket_id: int) -> int:
    return int(await conn.scalar(select(func.count()).where(messages.c.ticket_id == ticket_id)) or 0)


async def insert_message(conn: AsyncConnection, values: Mapping[str, Any]) -> None:
    await conn.execute(insert(messages).values(values))


async def learn_own_id(conn: AsyncConnection, mail: OutgoingMail, *, takes_part: bool = True) -> None:
    """An answer's Message-ID leads back to its ticket and to itself, and whom it goes to takes part, where that is wanted."""
    await _learn_id(conn, mail.message_id, mail.ticket_id, mail.scanner_id, mail.outgoing_id)
    people = {address_key(person.address) for person in [*mail.to, *mail.cc]} - {""}
    rows = [{"ticket_id": mail.ticket_id, "address": key} for key in sorted(people)]
    if takes_part:
        await conn.execute(insert(participants).on_conflict_do_nothing(), rows)


async def fill_acknowledgement(conn: AsyncConnection, answer_id: str, text: str) -> None:
    """What the acknowledgement said, which its template made; the first news that tells it counts."""
    blank = (messages.c.id == answer_id) & (messages.c.mode == OutgoingMode.ACKNOWLEDGEMENT) & (messages.c.text == "")
    filled = update(messages).where(blank).values(text=without_nul(text)).returning(messages.c.ticket_id)
    if (ticket_id := await conn.scalar(filled)) is not None:
        await read_again(conn, [ticket_id])


async def learn_alias(conn: AsyncConnection, answer_id: str, alias: str) -> None:
    """The server gave the answer this Message-ID instead of ours: it leads wherever ours does."""
    ours = (message_ids.c.answer_id == answer_id) & (message_ids.c.ticket_id == messages.c.ticket_id)
    query = select(messages.c.ticket_id, message_ids.c.scanner_id).join(message_ids, ours).where(messages.c.id == answer_id).limit(1)
    known = (await conn.execute(query)).first()
    if known is not None and alias.strip():
        await _learn_id(conn, alias, known.ticket_id, known.scanner_id, answer_id)


async def _learn_id(conn: AsyncConnection, message_id: str, ticket_id: int, scanner_id: str | None, answer_id: str) -> None:
    row = {"message_id": id_key(message_id), "ticket_id": ticket_id, "scanner_id": scanner_id}
    ours = {"origin": OURS_ORIGIN, "answer_id": answer_id}
    statement = insert(message_ids).values(row | ours)
    await conn.execute(statement.on_conflict_do_update(index_elements=["message_id", "ticket_id"], set_=ours))


async def last_mail(conn: AsyncConnection, ticket_id: int) -> LastMail | None:
    """The customer's last mail."""
    query = select(messages).where(messages.c.ticket_id == ticket_id, messages.c.kind == "mail", messages.c.direction == "in")
    row = (await conn.execute(query.order_by(messages.c.received_at.desc(), messages.c.order_id.desc()).limit(1))).first()
    if row is None:
        return None
    return LastMail(
        sender=Address(name=row.sender_name, address=row.sender),
        reply_to=[Address.model_validate(address) for address in row.reply_to],
        cc=[Address.model_validate(address) for address in row.cc],
        message_id=row.message_id,
        in_reply_to=row.in_reply_to,
        references=row.references,
        text=row.text,
        received_at=row.received_at,
        id=row.id,
        html=row.html,
    )


async def wrote_since(conn: AsyncConnection, ticket_id: int, since: datetime) -> bool:
    """Whether a mail came in on the ticket since then."""
    came = exists().where(messages.c.ticket_id == ticket_id, messages.c.direction == "in", messages.c.created_at > since)
    return bool(await conn.scalar(select(came)))


async def attachments_of(conn: AsyncConnection, message_ids_: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Attachments by message."""
    query = select(attachments).where(attachments.c.message_id.in_(message_ids_)).order_by(attachments.c.message_id, attachments.c.position)
    found: dict[str, list[Row[Any]]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.message_id, []).append(row)
    return found


async def attachments_of_tickets(conn: AsyncConnection, ticket_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Attachments by ticket, those of its first mails first."""
    query = select(attachments).join(messages, messages.c.id == attachments.c.message_id).where(attachments.c.ticket_id.in_(ticket_ids))
    found: dict[int, list[Row[Any]]] = {}
    for row in await conn.execute(query.order_by(messages.c.received_at, messages.c.order_id, attachments.c.position)):
        found.setdefault(row.ticket_id, []).append(row)
    return found


async def attachments_by_id(conn: AsyncConnection, ticket_id: int, ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Those of the ids that are on the ticket."""
    return (await conn.execute(select(attachments).where(attachments.c.id.in_(ids), attachments.c.ticket_id == ticket_id))).all()


async def insert_attachments(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await conn.execute(insert(attachments), list(rows))


async def participants_of(conn: AsyncConnection, ticket_id: int) -> list[str]:
    """Folded addresses of who takes part, in order of the alphabet; at most 100."""
    query = select(participants.c.address).where(participants.c.ticket_id == ticket_id).order_by(participants.c.address)
    return list((await conn.execute(query.limit(100))).scalars())


async def deliveries_of(conn: AsyncConnection, message_ids_: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Deliveries by message."""
    query = select(deliveries).where(deliveries.c.message_id.in_(message_ids_)).order_by(deliveries.c.message_id, deliveries.c.recipient)
    found: dict[str, list[Row[Any]]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.message_id, []).append(row)
    return found
