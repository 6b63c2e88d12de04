"""Messages with their attachments and deliveries, in the order a ticket shows them: (INTERNALDATE, mail id)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http import not_found
from shared.mail.model import Address
from tickets.adapters.tables import attachments, deliveries, mails, message_ids, messages, participants
from tickets.domain.answer import LastMail
from tickets.domain.keys import address_key, id_key
from tickets.domain.state import OURS_ORIGIN


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


async def learn_own_id(conn: AsyncConnection, ticket_id: int, scanner_id: str | None, message_id: str, people: list[str]) -> None:
    """An answer's Message-ID leads back to its ticket, and whom it goes to takes part."""
    row = {"message_id": id_key(message_id), "ticket_id": ticket_id, "scanner_id": scanner_id, "origin": OURS_ORIGIN}
    await conn.execute(insert(message_ids).values(row))
    rows = [{"ticket_id": ticket_id, "address": key} for key in sorted({address_key(person) for person in people} - {""})]
    await conn.execute(insert(participants).on_conflict_do_nothing(), rows)


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
    )


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


async def get_attachment(conn: AsyncConnection, ticket_id: int, attachment_id: str) -> Row[Any]:
    """Raises ProblemError 404."""
    query = select(attachments).where(attachments.c.id == attachment_id, attachments.c.ticket_id == ticket_id)
    row = (await conn.execute(query)).first() if "\x00" not in attachment_id else None
    if row is None:
        raise not_found("attachment", attachment_id)
    return row


async def deliveries_of(conn: AsyncConnection, message_ids_: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Deliveries by message."""
    query = select(deliveries).where(deliveries.c.message_id.in_(message_ids_)).order_by(deliveries.c.message_id, deliveries.c.recipient)
    found: dict[str, list[Row[Any]]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.message_id, []).append(row)
    return found
