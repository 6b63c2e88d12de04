"""A message becomes a ticket of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row

from shared.events import CommandMail, TicketEventType
from shared.http import ProblemError, not_found
from shared.mail.model import Address
from shared.messaging.outbox import Unit
from tickets.adapters.desk import own_addresses
from tickets.adapters.message_store import count_messages, get_mail_message
from tickets.adapters.move_store import SplitOff, learn_split_off, move_message, redirect_mail
from tickets.adapters.moves import begin_move
from tickets.adapters.record_lookup import record_of
from tickets.adapters.ticket_store import insert_ticket, lock_ticket, made_before
from tickets.adapters.watchers import add_watchers
from tickets.changing import Act, change, opened, refuse_gone
from tickets.domain.keys import address_key, title_key
from tickets.domain.learned import watching
from tickets.events import emit_outcome


@dataclass(frozen=True)
class Split:
    """What is asked for; twice under the same `idempotency_id` is done once."""

    ticket_id: int
    message_id: str
    title: str | None
    """None: the old ticket's."""
    idempotency_id: str


async def split(unit: Unit, asked: Split, actor: str) -> int:
    """Make the message the first of a new ticket that points at the old one; returns the new one's number.

    Raises ProblemError 404 without the ticket or the message; 409 where the ticket is deleted or merged, or the message is no mail or
    its only one.
    """
    await begin_move(unit.conn)
    if (made := await made_before(unit.conn, asked.idempotency_id)) is not None:
        return made
    old = await lock_ticket(unit.conn, asked.ticket_id)
    await refuse_gone(unit.conn, old)
    message = await get_mail_message(unit.conn, old.id, asked.message_id)
    if message is None:
        raise not_found(f"message of ticket {old.id}", asked.message_id)
    await _refuse_unfit(unit, old, message)
    number, title = await _open(unit, asked, old, message)
    for mail in await redirect_mail(unit.conn, message.mail_id, number, f"split off ticket {old.id}", unit.clock()):
        emit_outcome(unit, mail, number)
    act = Act(actor, TicketEventType.SPLIT, message.id, message.mail_id, other_ticket_id=number)
    await change(unit, old, {}, act)
    await opened(unit, number, title, replace(act, other_ticket_id=old.id))
    return number


async def _refuse_unfit(unit: Unit, old: Row[Any], message: Row[Any]) -> None:
    if message.kind != "mail" or message.scanner_id is None:
        raise ProblemError(409, "Not a mail", "Only a mail that came in can become a ticket of its own.")
    if await count_messages(unit.conn, old.id) == 1:
        detail = f"It is the only message of ticket {old.id}; there is nothing to split it off from. Change the ticket's title instead."
        raise ProblemError(409, "The only message", detail)


async def _open(unit: Unit, asked: Split, old: Row[Any], message: Row[Any]) -> tuple[int, str]:
    """Store the new ticket with what came with the message; returns its number and title."""
    content, own = _content(message), await own_addresses(unit.conn)
    values = await _values(unit, asked, old, message, content)
    number, _ = await insert_ticket(unit.conn, values)
    await move_message(unit.conn, message.id, number)
    await learn_split_off(unit.conn, content, old.id, number, SplitOff(message.scanner_id, message.history_id, own))
    await add_watchers(unit.conn, number, watching(content, own))
    return number, values["title"]


def _content(message: Row[Any]) -> CommandMail:
    """As much of the mail as its message keeps."""
    columns = message._mapping  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns
    people = {name: [Address.model_validate(one) for one in columns[name]] for name in ("reply_to", "recipients", "cc")}
    return CommandMail(
        subject="",
        from_=Address(name=message.sender_name, address=message.sender),
        reply_to=people["reply_to"],
        to=people["recipients"],
        cc=people["cc"],
        message_id=message.message_id,
        in_reply_to=message.in_reply_to,
        references=columns["references"],
    )


async def _values(unit: Unit, asked: Split, old: Row[Any], message: Row[Any], content: CommandMail) -> dict[str, Any]:
    at, title = unit.clock(), asked.title or old.title
    return {
        "title": title,
        "folded_title": title_key(title),
        "description": message.text,
        "source": "mail",
        "scanner_id": message.scanner_id,
        "sender": message.sender,
        "sender_folded": address_key(message.sender) or None,
        "recipients": list(dict.fromkeys(address.address for address in [*content.to, *content.cc] if address.address)),
        "contact_id": await record_of(unit.conn, message.sender),
        "linked_ticket_id": old.id,
        "idempotency_id": asked.idempotency_id,
        "history_id": message.history_id,
        "created_at": at,
        "updated_at": at,
    }
