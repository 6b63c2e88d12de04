"""What each of a rule's actions does with a mail: effects where it takes, None where it passes (design sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.events import Action, ActionType, Candidate, CommandMail, Lookup, OutcomeType, TicketCommand
from tickets.domain.acknowledging import acknowledgement
from tickets.domain.find import fails_dmarc, find, takes_part
from tickets.domain.keys import code_key, linked_addresses
from tickets.domain.labels import assignee_key, with_tags
from tickets.domain.links import connected_to, link
from tickets.domain.state import STATUSES, Change, Desk, Effects, MailState, TicketState

NO_SUBJECT: Final = "(no subject)"
INTERNALDATE_STEP: Final = timedelta(seconds=1)
MAX_CODE: Final = 200
"""Characters of an external code that the API takes."""


def _create(candidate: Candidate, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects:
    effects = _open(candidate.action, command, content, desk, mail)
    if not candidate.action.acknowledge:
        return effects
    return replace(effects, acknowledgement=acknowledgement(command, content, desk, mail.at))


def _update(candidate: Candidate, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects | None:
    """None where no ticket is found and none shall be opened: the update passes."""
    action = candidate.action
    ticket = find(candidate, command, content, desk)
    if ticket is None:
        return _with_code(_open(action, command, content, desk, mail), candidate) if action.create_when_missing else None
    if action.participants_only and not takes_part(ticket.id, content, desk):
        return _open(action, command, content, desk, replace(mail, reason=_stranger(content)), ticket.id)
    if _too_late(ticket, action, command.received_at):
        late = replace(mail, reason="the ticket found was closed too long ago")
        return _with_code(_open(action, command, content, desk, late, ticket.id), candidate)
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
        contact_id=connected_to(content.from_, desk),
        history_id=mail.history_id,
    )
    return Effects(mail=replace(mail, type=OutcomeType.TICKET, ticket_id=ticket.id), ticket=ticket, change=Change.OPENED)


def _with_code(effects: Effects, candidate: Candidate) -> Effects:
    """The code the ticket was looked up by is its own, so that the next mail finds it. Never for a stranger, who might take it over."""
    code = candidate.key.strip()
    if candidate.action.lookup is not Lookup.EXTERNAL_CODE or not code_key(code) or len(code) > MAX_CODE or effects.ticket is None:
        return effects
    return replace(effects, ticket=replace(effects.ticket, external_code=code))


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
    return Effects(mail=replace(mail, type=OutcomeType.UPDATE, ticket_id=ticket.id), ticket=changed, change=Change.APPENDED, before=ticket)


def _status(action: Action, otherwise: str) -> str:
    return action.status if action.status in STATUSES else otherwise


def _archive(_: Candidate, __: TicketCommand, ___: CommandMail, ____: Desk, mail: MailState) -> Effects:
    return Effects(mail=replace(mail, type=OutcomeType.ARCHIVED))


def _ignore(_: Candidate, __: TicketCommand, ___: CommandMail, ____: Desk, mail: MailState) -> Effects:
    return Effects(mail=replace(mail, type=OutcomeType.IGNORED))


def _link(candidate: Candidate, _: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects | None:
    return link(candidate.action, linked_addresses(candidate.action.type, content), desk, mail)


Try = Callable[[Candidate, TicketCommand, CommandMail, Desk, MailState], Effects | None]
ACTIONS: Final[dict[ActionType, Try]] = {
    ActionType.CREATE_TICKET: _create,
    ActionType.UPDATE_TICKET: _update,
    ActionType.LINK_SENDER: _link,
    ActionType.LINK_RECIPIENT: _link,
    ActionType.ARCHIVE: _archive,
    ActionType.IGNORE: _ignore,
}
