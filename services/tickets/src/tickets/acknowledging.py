"""Acknowledgements of the mails that opened tickets: within the limits, in the transaction that opens them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.events import CommandMail, OutgoingMode, TicketCommand, derived_id
from shared.mail.words import one_line
from shared.messaging.outbox import Unit
from shared.observability import get_logger
from tickets.adapters.automatic import Counted, Limits, over_limit
from tickets.adapters.save import Done, Numbers
from tickets.automatic import Automatic, not_sent, send_automatic
from tickets.domain.answer import references
from tickets.domain.keys import counted_key
from tickets.domain.state import Acknowledgement, TicketState

log = get_logger("acknowledging")
REPLAYED: Final = "the mail is replayed"


def counted(done: Sequence[Done]) -> list[Counted]:
    """What the limits have to be held for."""
    return [
        _counted(one.command, one.effects.acknowledgement) for one in done if (wanted := one.effects.acknowledgement) and not wanted.refusal
    ]


async def acknowledge(unit: Unit, one: Done, number: Numbers, limits: Limits, *, replayed: bool) -> None:
    """Send the acknowledgement, or say in the history why there is none."""
    wanted, ticket, mail = one.effects.acknowledgement, one.effects.ticket, one.command.mail
    ticket_id = number(ticket.id) if ticket else None
    if wanted is None or ticket is None or ticket_id is None or mail is None:
        return
    what = _automatic(one.command, mail, wanted, ticket, ticket_id)
    if refusal := wanted.refusal or (REPLAYED if replayed else None):
        await not_sent(unit, what, refusal, "refused")
    elif over := await over_limit(unit.conn, _counted(one.command, wanted), limits, unit.clock()):
        log.warning("a limit stopped an acknowledgement", ticket=ticket_id, scanner=what.scanner_id, reason=over)
        await not_sent(unit, what, over, "limited")
    else:
        await send_automatic(unit, what)


def _counted(command: TicketCommand, wanted: Acknowledgement) -> Counted:
    return Counted(_id(command), counted_key(wanted.to.address), command.scanner_id)


def _id(command: TicketCommand) -> str:
    return derived_id(command.mail_id, "acknowledgement")


def _automatic(command: TicketCommand, mail: CommandMail, wanted: Acknowledgement, ticket: TicketState, ticket_id: int) -> Automatic:
    return Automatic(
        id=_id(command),
        ticket_id=ticket_id,
        scanner_id=command.scanner_id,
        mode=OutgoingMode.ACKNOWLEDGEMENT,
        to=wanted.to,
        title=ticket.title,
        in_reply_to=one_line(mail.message_id) if mail.message_id else None,
        references=references(mail),
    )
