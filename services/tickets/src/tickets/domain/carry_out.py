"""One command carried out: state and command in, effects out (design sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, OutcomeType, TicketCommand
from shared.mail.model import Kind
from tickets.domain.find import find, takes_part
from tickets.domain.keys import address_key, id_key, referred_ids, title_key
from tickets.domain.state import (
    FAILURES,
    MAIL_ORIGIN,
    OURS_ORIGIN,
    REFERRED_ORIGIN,
    STATUSES,
    Change,
    Desk,
    Effects,
    KnownId,
    MailState,
    TicketState,
)

NO_SUBJECT: Final = "(no subject)"
INTERNALDATE_STEP: Final = timedelta(seconds=1)
MAX_RUN: Final = 2**31 - 1


def carry_out(command: TicketCommand, desk: Desk, at: datetime, *, asked_again: bool = False) -> Effects:
    """The effects of a command; a mail that has an outcome already is left as it is, and told again when `asked_again`."""
    known = desk.mails.get(command.mail_id)
    if known is None or _supersedes(command, known):
        return _first_time(command, desk, _next(command, known, at))
    if command.run > known.run and command.kind is not CommandKind.FAILURE:
        return Effects(mail=replace(known, run=command.run, revision=1, at=at))
    return Effects(repeat=known if asked_again else None)


def apply(effects: Effects, command: TicketCommand, desk: Desk) -> None:
    """Bring the desk up to date, for the batch's next command."""
    if effects.mail is not None:
        desk.mails[effects.mail.mail_id] = effects.mail
    if effects.ticket is None or command.mail is None:
        return
    ticket = effects.ticket
    desk.tickets[ticket.id] = ticket
    desk.participants.setdefault(ticket.id, set()).update(people(command.mail, desk.own))
    for key, origin in learned_ids(command.mail):
        desk.ids.setdefault(key, []).append(KnownId(ticket.id, command.scanner_id, origin))
    if effects.change is Change.OPENED:
        desk.titles[command.scanner_id, title_key(ticket.title)] = ticket.id
        desk.provisional = min(desk.provisional, ticket.id)


def people(mail: CommandMail, own: frozenset[str]) -> set[str]:
    """Who takes part in a mail's ticket from now on: sender, Reply-To, To and Cc, without the mailboxes' own addresses."""
    written = [*([mail.from_] if mail.from_ else []), *mail.reply_to, *mail.to, *mail.cc]
    return {address_key(address.address) for address in written} - own - {""}


def learned_ids(mail: CommandMail) -> list[tuple[str, str]]:
    """The mail's own id and those it refers to, each once, as (key, origin)."""
    own = [(id_key(mail.message_id), MAIL_ORIGIN)] if mail.message_id else []
    ids = dict([*((key, REFERRED_ORIGIN) for key in referred_ids(mail)), *own])
    return list(ids.items())


def _supersedes(command: TicketCommand, known: MailState) -> bool:
    """A failure gives way to anything new; what left nothing behind gives way to a later run; all else stands for ever."""
    if command.run < known.run:
        return False
    if command.kind is CommandKind.FAILURE:
        failure = command.failure
        same = failure is not None and (failure.outcome, failure.reason) == (known.type.value, known.reason) and command.run == known.run
        return known.type in FAILURES and not same
    return known.type in FAILURES or (command.run > known.run and known.ticket_id is None)


def _next(command: TicketCommand, known: MailState | None, at: datetime) -> MailState:
    """The outcome's frame; type, ticket and rule are filled in by what happens."""
    same_run = known is not None and known.run == command.run
    sender = address_key(command.mail.from_.address) if command.mail and command.mail.from_ else None
    return MailState(
        mail_id=command.mail_id,
        scanner_id=command.scanner_id,
        run=min(command.run, MAX_RUN),
        revision=known.revision + 1 if known is not None and same_run else 1,
        type=OutcomeType.UNMATCHED,
        kind=Kind.MAIL.value if command.mail else None,
        at=at,
        sender=sender or None,
        archive_key=command.archive_key,
        received_at=command.received_at,
    )


def _first_time(command: TicketCommand, desk: Desk, mail: MailState) -> Effects:
    if command.kind is CommandKind.FAILURE or command.mail is None:
        outcome = OutcomeType(command.failure.outcome) if command.failure else OutcomeType.FAILED
        reason = command.failure.reason if command.failure else "the command carries no mail"
        return Effects(mail=replace(mail, type=outcome, reason=reason))
    if command.kind is CommandKind.OWN and _is_ours(command.mail, desk):
        return Effects(mail=replace(mail, type=OutcomeType.LOOP, kind=Kind.OWN.value, reason="a mail of ours came back"))
    if mail.sender in desk.spam:
        return Effects(mail=replace(mail, type=OutcomeType.SPAM, reason="the sender is on the spam list"), hit=mail.sender)
    return _try_candidates(command, command.mail, desk, mail)


def _is_ours(content: CommandMail, desk: Desk) -> bool:
    """The mark alone proves nothing: whoever forged it could hide his mail from everybody."""
    known = desk.ids.get(id_key(content.message_id), []) if content.message_id else []
    return any(one.origin == OURS_ORIGIN for one in known)


def _try_candidates(command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects:
    """The first rule whose action takes wins."""
    for candidate in command.candidates:
        ruled = replace(mail, rule_id=candidate.rule_id, rule_name=candidate.rule_name)
        effects = _ACTIONS[candidate.action.type](candidate, command, content, desk, ruled)
        if effects is not None:
            return effects
    reason = "no rule's action took" if command.candidates else "no rule matched"
    return Effects(mail=replace(mail, type=OutcomeType.UNMATCHED, reason=reason))


def _create(candidate: Candidate, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects:
    return _open(candidate.action, command, content, desk, mail)


def _update(candidate: Candidate, command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects | None:
    """None where no ticket is found and none shall be opened: the update passes."""
    action = candidate.action
    ticket = find(candidate, command, content, desk)
    if ticket is None:
        return _open(action, command, content, desk, mail) if action.create_when_missing else None
    if action.participants_only and not takes_part(ticket.id, content, desk):
        return _open(action, command, content, desk, replace(mail, reason="the sender takes no part in the ticket found"), ticket.id)
    if _too_late(ticket, action, command.received_at):
        return _open(action, command, content, desk, replace(mail, reason="the ticket found was closed too long ago"), ticket.id)
    return _append(action, ticket, mail)


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
        closed_at=mail.at if status == "closed" else None,
        linked_ticket_id=continues,
        contact_id=desk.contacts.get(mail.sender or ""),
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


def _pass(_: Candidate, __: TicketCommand, ___: CommandMail, ____: Desk, _____: MailState) -> None:
    """Filing a mail with a record comes with the registry."""


Try = Callable[[Candidate, TicketCommand, CommandMail, Desk, MailState], Effects | None]
_ACTIONS: Final[dict[ActionType, Try]] = {
    ActionType.CREATE_TICKET: _create,
    ActionType.UPDATE_TICKET: _update,
    ActionType.LINK_SENDER: _pass,
    ActionType.LINK_RECIPIENT: _pass,
    ActionType.ARCHIVE: _archive,
    ActionType.IGNORE: _ignore,
}
