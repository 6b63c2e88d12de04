"""Whether the mail that opens a ticket is acknowledged (RFC 3834, 2). Pure; the limits are counted where the others are known."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from shared.events import CommandKind, CommandMail, TicketCommand
from shared.mail.model import Address, Kind
from tickets.domain.find import fails_dmarc
from tickets.domain.keys import id_key, is_mail_address, referred_ids
from tickets.domain.plus import is_ours
from tickets.domain.state import MAIL_ORIGIN, OURS_ORIGIN, Acknowledgement, Desk

NO_ADDRESS: Final = "the mail names no address to answer to"
OWN_ADDRESS: Final = "the sender is a mailbox of ours"
OWN_MARK: Final = "the mail carries the mark of a Mail Converter"
NOT_AUTHENTIC: Final = "the mail fails DMARC, so its sender may be anybody"
NOT_SHOWN: Final = "nothing shows that the mail is from its sender"
UNCHECKED: Final = "the mailbox's provider does not write whether the sender is authentic, and the settings ask for that"
ANSWERS_OURS: Final = "it answers a mail of ours"
CAME_ROUND: Final = "the same mail is on a ticket already"
NAMES_A_TICKET: Final = "its subject carries a ticket's number, as our mails do"
DECIDED_AGAIN: Final = "the mail was decided again"
MAX_AGE: Final = timedelta(days=2)
"""Mailboxes that are read from the beginning, released mails and retries bring old ones: nobody waits to hear that they came."""
_TICKET_MARK: Final = re.compile(r"\bticket\s{1,3}id\s{0,3}:\s{0,3}\d", re.IGNORECASE)
_KINDS: Final = {
    Kind.LIST.value: "it was sent to many",
    Kind.AUTOMATIC.value: "a machine sent it",
    Kind.PEC.value: "certified mail has receipts of its own",
    Kind.PEC_ANOMALY.value: "certified mail has receipts of its own",
}
_FIELDS: Final = {
    "From": "no person answers at its sender's address",
    "Subject": "its subject is that of an automatic reply",
    "Sender": "this mailbox itself sent it",
    "Resent-From": "this mailbox itself sent it on",
}
"""What it means that one of these forbids an answer; the others are marks that machines set for each other."""
_SHOWING: Final = frozenset({"dmarc=pass", "spf=pass", "dkim=pass"})


def acknowledgement(command: TicketCommand, content: CommandMail, desk: Desk, at: datetime) -> Acknowledgement:
    """To the sender, not to Reply-To: only who wrote can have asked for it. Mails of listed senders open no ticket, so never come here.

    `at` is when the mail is carried out.
    """
    sender = content.from_ or Address(address="")
    return Acknowledgement(sender, _refusal(command, content, desk, sender, at))


def _refusal(command: TicketCommand, content: CommandMail, desk: Desk, sender: Address, at: datetime) -> str | None:
    if command.kind is CommandKind.OWN:
        return OWN_MARK
    if command.mail_kind != Kind.MAIL:
        told = _KINDS.get(command.mail_kind or "", f"its kind is {command.mail_kind or 'not known'}")
        return f"{told} ({command.kind_reason})" if command.kind_reason else told
    checks: tuple[tuple[bool, str], ...] = (
        (bool(content.unanswerable), _forbidden(content.unanswerable)),
        (fails_dmarc(content), NOT_AUTHENTIC),
        (bool(content.authentication) and _SHOWING.isdisjoint(content.authentication), _not_shown(content)),
        (not content.authentication and not desk.acknowledge_unchecked, UNCHECKED),
        (not is_mail_address(sender.address.strip()), NO_ADDRESS),
        (is_ours(sender.address, desk.own), OWN_ADDRESS),
        (_answers_ours(content, desk), ANSWERS_OURS),
        (_came_round(command, content, desk), CAME_ROUND),
        (_TICKET_MARK.search(content.subject) is not None, NAMES_A_TICKET),
        (at - command.received_at > MAX_AGE, f"the mail is from {command.received_at:%d %b %Y}, too old to be acknowledged"),
        (command.run > 1, DECIDED_AGAIN),
    )
    return next((reason for holds, reason in checks if holds), None)


def _forbidden(field: str) -> str:
    words = _FIELDS.get(field.partition(":")[0])
    return f"{words} ({field})" if words else f"it bears the field {field}"


def _not_shown(content: CommandMail) -> str:
    return f"{NOT_SHOWN} ({', '.join(content.authentication[:5])[:200]})"


def _answers_ours(content: CommandMail, desk: Desk) -> bool:
    """Who answers us knows that his mails come in, and may be a machine that answers our answers."""
    return any(known.origin == OURS_ORIGIN for key in referred_ids(content) for known in desk.ids.get(key, []))


def _came_round(command: TicketCommand, content: CommandMail, desk: Desk) -> bool:
    """A loop of forwarders brings the same mail again and again."""
    known = desk.ids.get(id_key(content.message_id), []) if content.message_id else []
    return any(one.origin == MAIL_ORIGIN and one.scanner_id == command.scanner_id for one in known)
