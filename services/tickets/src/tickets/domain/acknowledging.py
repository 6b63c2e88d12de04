"""Whether the mail that opens a ticket is acknowledged (RFC 3834, 2). Pure; the limits are counted where the others are known."""

from __future__ import annotations

from typing import Final

from shared.events import CommandKind, CommandMail, TicketCommand
from shared.mail.model import Address, Kind
from tickets.domain.find import fails_dmarc
from tickets.domain.keys import is_mail_address
from tickets.domain.plus import is_ours
from tickets.domain.state import Acknowledgement, Desk

NO_ADDRESS: Final = "the mail names no address to answer to"
OWN_ADDRESS: Final = "the sender is a mailbox of ours"
OWN_MARK: Final = "the mail carries the mark of a Mail Converter"
NOT_AUTHENTIC: Final = "the mail fails DMARC, so its sender may be anybody"
DECIDED_AGAIN: Final = "the mail was decided again"
_KINDS: Final = {
    Kind.LIST.value: "it was sent to many",
    Kind.AUTOMATIC.value: "a machine sent it",
    Kind.PEC.value: "certified mail has receipts of its own",
    Kind.PEC_ANOMALY.value: "certified mail has receipts of its own",
}


def acknowledgement(command: TicketCommand, content: CommandMail, desk: Desk) -> Acknowledgement:
    """To the sender, not to Reply-To: only who wrote can have asked for it. Mails of listed senders open no ticket, so never come here."""
    sender = content.from_ or Address(address="")
    return Acknowledgement(sender, _refusal(command, content, desk, sender))


def _refusal(command: TicketCommand, content: CommandMail, desk: Desk, sender: Address) -> str | None:
    if command.kind is CommandKind.OWN:
        return OWN_MARK
    if command.mail_kind != Kind.MAIL:
        told = _KINDS.get(command.mail_kind or "", f"its kind is {command.mail_kind or 'not known'}")
        return f"{told} ({command.kind_reason})" if command.kind_reason else told
    checks: tuple[tuple[bool, str], ...] = (
        (bool(content.unanswerable), f"it bears the field {content.unanswerable}"),
        (fails_dmarc(content), NOT_AUTHENTIC),
        (not is_mail_address(sender.address.strip()), NO_ADDRESS),
        (is_ours(sender.address, desk.own), OWN_ADDRESS),
        (command.run > 1, DECIDED_AGAIN),
    )
    return next((reason for holds, reason in checks if holds), None)
