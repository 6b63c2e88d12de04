"""Tickets somebody must look at, because a mail of ours did not arrive; and the notice to whom the ticket is given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row

from shared.events import CommandKind, MailDelivery, OutgoingMode, TicketEventType, derived_id
from shared.mail.model import Address
from shared.messaging.outbox import Unit
from shared.observability import get_logger
from tickets.adapters import reports
from tickets.adapters.automatic import Counted, hold, over_limit, read_limits
from tickets.adapters.desk import own_addresses
from tickets.adapters.message_store import get_message
from tickets.adapters.save import Done
from tickets.automatic import BY, Automatic, not_sent, send_automatic
from tickets.changing import Act, change
from tickets.domain.attention import attention, notice
from tickets.domain.keys import address_key, is_mail_address
from tickets.domain.plus import is_ours
from tickets.domain.state import Desk

log = get_logger("attention")
ANSWERS: Final = frozenset({None, OutgoingMode.INFO.value, OutgoingMode.PERSONAL.value})
"""Modes whose failure is told to the assignee. That of an automatic mail never makes another mail."""


async def failed(unit: Unit, ticket: Row[Any], answer: Row[Any], recipients: Collection[str], act: Act) -> bool:
    """These recipients did not get the answer: flag the locked ticket, tell its assignee; whether the flag changed."""
    await reports.flag(unit.conn, answer.id, recipients)
    changed = await refresh(unit, ticket, act)
    if answer.mode in ANSWERS and ticket.deleted_at is None:
        await _tell_assignee(unit, ticket, answer)
    return changed


async def arrived(unit: Unit, ticket: Row[Any], answer: Row[Any], recipients: Collection[str], act: Act) -> bool:
    """They got this answer, so what they did not get before needs no look any more; whether the flag changed."""
    await reports.unflag_older(unit.conn, answer, recipients)
    return await refresh(unit, ticket, act)


async def refresh(unit: Unit, ticket: Row[Any], act: Act) -> bool:
    """The flag of the locked ticket says what is left to look at; whether that changed."""
    text = attention(await reports.failures_of(unit.conn, ticket.id))
    if text == ticket.attention:
        return False
    await change(unit, ticket, {"attention": text}, act)
    return True


async def _tell_assignee(unit: Unit, ticket: Row[Any], answer: Row[Any]) -> None:
    """Once per answer, whoever of its recipients fails later."""
    to, scanner_id = ticket.assignee or "", ticket.scanner_id
    own = await own_addresses(unit.conn)
    if not is_mail_address(to) or is_ours(to, own) or scanner_id is None:
        return
    what = Automatic(
        id=derived_id(answer.id, "notice"),
        ticket_id=ticket.id,
        scanner_id=scanner_id,
        mode=OutgoingMode.NOTICE,
        to=Address(address=to),
        title=ticket.title,
        text=notice(ticket.id, ticket.title, await reports.failures_of(unit.conn, ticket.id, answer.id)),
    )
    if await get_message(unit.conn, what.id) is not None:
        return
    counted = Counted(what.id, address_key(to), scanner_id)
    await hold(unit.conn, [counted])
    if over := await over_limit(unit.conn, counted, await read_limits(unit.conn), unit.clock()):
        log.warning("a limit stopped a notice", ticket=ticket.id, scanner=scanner_id, reason=over)
        await not_sent(unit, what, over, "limited")
    else:
        await send_automatic(unit, what)


def notices(done: Sequence[Done], desk: Desk) -> list[Counted]:
    """What the limits have to be held for, should these mails be bounces of answers."""
    found = (
        desk.tickets.get(one.effects.mail.ticket_id)
        for one in done
        if one.effects.about and one.effects.mail and one.effects.mail.ticket_id is not None and one.command.kind is CommandKind.BOUNCE
    )
    return [Counted("", address_key(ticket.assignee or ""), ticket.scanner_id or "") for ticket in found if ticket is not None]


async def not_delivered(unit: Unit, ticket: Row[Any], news: MailDelivery) -> bool:
    """The notifier has given up on a recipient; whether the flag of the locked ticket changed."""
    answer = await reports.answer_of(unit.conn, news.outgoing_id)
    return answer is not None and await failed(unit, ticket, answer, [news.recipient], act_of(BY, answer.id))


def act_of(actor: str, answer_id: str, mail_id: str | None = None) -> Act:
    """A flag is set or taken off by a mail that came back, or by the notifier's news."""
    return Act(actor, TicketEventType.DELIVERY, message_id=answer_id, mail_id=mail_id)
