"""What each of a rule's actions does with a mail: effects where it takes, None where it passes (design sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.events import Action, ActionType, Candidate, CommandMail, OutcomeType, TicketCommand
from shared.mail.model import Address
from tickets.domain.find import fails_dmarc, find, takes_part
from tickets.domain.keys import address_key
from tickets.domain.labels import assignee_key, with_tags
from tickets.domain.state import STATUSES, Change, Desk, Effects, MailState, RecordType, TicketState

NO_SUBJECT: Final = "(no subject)"
INTERNALDATE_STEP: Final = timedelta(seconds=1)
CONTACT: Final[RecordType] = "contact"


def _create(candidate: Candidate, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects:
    return _open(candidate.action, command, content, desk, mail)


def _update(candidate: Candidate, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects | None:
    """None where no ticket is found and none shall be opened: the update passes."""
    action = candidate.action
    ticket = find(candidate, command, content, desk)
    if ticket is None:
        return _open(action, command, content, desk, mail) if action.create_when_missing else None
    if action.participants_only and not takes_part(ticket.id, content, desk):
        return _open(action, command, content, desk, replace(mail, reason=_stranger(content)), ticket.id)
    if _too_late(ticket, action, command.received_at):
        return _open(action, command, content, desk, replace(mail, reason="the ticket found was closed too long ago"), ticket.id)
    return _append(action, ticket, mail)


def _stranger(content: CommandMail) -> str:
    if fails_dmarc(content):
        return "the mail fails DMARC, so its sender counts as a stranger to the ticket found"
    return "the sender takes no part in the ticket found"


def _too_late(ticket: TicketState, action: Action, received_at: datetime) -> bool:
    """INTERNALDATE knows whole seconds only: a mail of the second in which the ticket was closed came after it."""
    return ticket.closed_at is not None and received_at + INTERNALDATE_STEP - ticket.closed_at > timedelta(days=action.reopen_days)


def _open(
    action: Action, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState, continues: int | None = None
) -> Effects:
    status = _status(action, "open")
    ticket = TicketState(
        id=desk.provisional - 1,
        scanner_id=command.scanner_id,
        title=content.subject.strip() or NO_SUBJECT,
        status=status,
        priority=action.priority or "normal",
        category=action.category,
        assignee=assignee_key(action.assignee),
        tags=with_tags((), action.tags),
        closed_at=mail.at if status == "closed" else None,
        linked_ticket_id=continues,
        contact_id=desk.contacts.get(mail.sender or ""),
        history_id=mail.history_id,
    )
    return Effects(mail=replace(mail, type=OutcomeType.TICKET, ticket_id=ticket.id), ticket=ticket, change=Change.OPENED)


def _append(action: Action, ticket: TicketState, mail: MailState) -> Effects:
    """The customer wrote: a waiting ticket is open again, a closed one reopens."""
    status = _status(action, "in_progress" if ticket.status == "in_progress" else "open")
    changed = replace(
        ticket,
        status=status,
        priority=action.priority or ticket.priority,
        category=action.category or ticket.category,
        assignee=assignee_key(action.assignee) or ticket.assignee,
        tags=with_tags(ticket.tags, action.tags),
        closed_at=mail.at if status == "closed" else None,
        version=ticket.version + 1,
    )
    return Effects(mail=replace(mail, type=OutcomeType.UPDATE, ticket_id=ticket.id), ticket=changed, change=Change.APPENDED)


def _status(action: Action, otherwise: str) -> str:
    return action.status if action.status in STATUSES else otherwise


def _archive(_: Candidate, __: TicketCommand, ___: CommandMail, ____: Desk, mail: MailState) -> Effects:
    return Effects(mail=replace(mail, type=OutcomeType.ARCHIVED))


def _ignore(_: Candidate, __: TicketCommand, ___: CommandMail, ____: Desk, mail: MailState) -> Effects:
    return Effects(mail=replace(mail, type=OutcomeType.IGNORED))


def _link_sender(candidate: Candidate, _: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects | None:
    return _link(candidate.action, [content.from_] if content.from_ else [], desk, mail)


def _link_recipient(candidate: Candidate, _: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects | None:
    return _link(candidate.action, [*content.to, *content.cc], desk, mail)


def _link(action: Action, addresses: Sequence[Address], desk: Desk, mail: MailState) -> Effects | None:
    """File the mail with the first contact that has one of the addresses, a mailbox's own left out. Accounts and leads are none yet."""
    if action.record not in {None, CONTACT}:
        return None
    keys = [key for address in addresses if (key := address_key(address.address)) not in desk.own]
    contact = next((desk.contacts[key] for key in keys if key in desk.contacts), None)
    if contact is None:
        return None
    return Effects(mail=replace(mail, type=OutcomeType.LINK, record_type=CONTACT, record_id=contact))


Try = Callable[[Candidate, TicketCommand, CommandMail, Desk, MailState], Effects | None]
ACTIONS: Final[dict[ActionType, Try]] = {
    ActionType.CREATE_TICKET: _create,
    ActionType.UPDATE_TICKET: _update,
    ActionType.LINK_SENDER: _link_sender,
    ActionType.LINK_RECIPIENT: _link_recipient,
    ActionType.ARCHIVE: _archive,
    ActionType.IGNORE: _ignore,
}
