"""One command carried out: state and command in, effects out (design sections 6 and 7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.events import CommandKind, CommandMail, OutcomeType, TicketCommand
from shared.mail.model import Kind
from tickets.domain.actions import ACTIONS
from tickets.domain.coming_back import about
from tickets.domain.keys import address_key, code_key, id_key, title_key
from tickets.domain.learned import learn
from tickets.domain.machine_mails import OUTCOMES, reason_of
from tickets.domain.spam import entries_for
from tickets.domain.state import FAILURES, OURS_ORIGIN, Change, Desk, Effects, KnownId, MailState

MAX_RUN: Final = 2**31 - 1
KIND_CHARS: Final = 20
GIVES_WAY: Final = FAILURES | {OutcomeType.RELEASED}


def carry_out(command: TicketCommand, desk: Desk, at: datetime, *, history_id: int = 0, asked_again: bool = False) -> Effects:
    """The effects of a command; a mail that has an outcome already is left as it is, and told again when `asked_again`.

    `history_id` is the place its effects take in the history.
    """
    known = desk.mails.get(command.mail_id)
    if known is None or _supersedes(command, known):
        return _first_time(command, desk, _next(command, known, at, history_id))
    if command.run > known.run and command.kind is not CommandKind.FAILURE:
        return Effects(mail=replace(known, run=command.run, revision=1, at=at))
    return Effects(repeat=known if asked_again else None)


def apply(effects: Effects, command: TicketCommand, desk: Desk) -> None:
    """Bring the desk up to date, for the batch's next command."""
    if effects.mail is not None:
        desk.mails[effects.mail.mail_id] = effects.mail
    if effects.lead is not None:
        desk.records.setdefault(effects.lead.key, {})["lead"] = effects.lead.id
    if effects.ticket is None or command.mail is None:
        return
    ticket = effects.ticket
    desk.tickets[ticket.id] = ticket
    learn(command.mail, ticket.id, command.scanner_id, desk)
    if effects.change is Change.OPENED:
        desk.titles[command.scanner_id, title_key(ticket.title)] = ticket.id
        if ticket.external_code:
            desk.codes[command.scanner_id, code_key(ticket.external_code)] = ticket.id
        desk.provisional = min(desk.provisional, ticket.id)


def _supersedes(command: TicketCommand, known: MailState) -> bool:
    """What failed or was released gives way to anything new; what left nothing behind gives way to a later run; all else stands."""
    if command.run < known.run:
        return False
    if command.kind is CommandKind.FAILURE:
        failure = command.failure
        same = failure is not None and (failure.outcome, failure.reason) == (known.type.value, known.reason) and command.run == known.run
        return known.type in GIVES_WAY and not same
    return known.type in GIVES_WAY or (command.run > known.run and known.ticket_id is None)


def _next(command: TicketCommand, known: MailState | None, at: datetime, history_id: int) -> MailState:
    """The outcome's frame; type, ticket and rule are filled in by what happens."""
    same_run = known is not None and known.run == command.run
    sender = address_key(command.mail.from_.address) if command.mail and command.mail.from_ else None
    return MailState(
        mail_id=command.mail_id,
        scanner_id=command.scanner_id,
        run=min(command.run, MAX_RUN),
        revision=known.revision + 1 if known is not None and same_run else 1,
        type=OutcomeType.UNMATCHED,
        kind=_kind(command),
        at=at,
        sender=sender or None,
        archive_key=command.archive_key,
        received_at=command.received_at,
        history_id=history_id,
    )


def _kind(command: TicketCommand) -> str | None:
    """As the rules service told it; our mark, which anybody can forge, makes no kind by itself."""
    if command.mail is None:
        return None
    return Kind.MAIL.value if command.kind is CommandKind.OWN else (command.mail_kind or Kind.MAIL.value)[:KIND_CHARS]


def _first_time(command: TicketCommand, desk: Desk, mail: MailState) -> Effects:
    if command.kind is CommandKind.FAILURE or command.mail is None:
        outcome = OutcomeType(command.failure.outcome) if command.failure else OutcomeType.FAILED
        reason = command.failure.reason if command.failure else "the command carries no mail"
        return Effects(mail=replace(mail, type=outcome, reason=reason))
    ours = _ours(command, command.mail, desk)
    if ours is not None:
        loop = replace(mail, type=OutcomeType.LOOP, kind=Kind.OWN.value, reason="a mail of ours came back", ticket_id=ours.ticket_id)
        return Effects(mail=loop)
    if command.kind in OUTCOMES:
        # Not asked of the spam list: whether an answer of ours arrived is news also when somebody listed the machine that tells it.
        answer = about(command, desk)
        ticket_id = answer.ticket_id if answer else None
        back = replace(mail, type=OUTCOMES[command.kind], reason=reason_of(command), ticket_id=ticket_id)
        return Effects(mail=back, about=answer.answer_id if answer else None)
    entry = _listed(mail.sender, desk)
    if entry is not None:
        whose = "the sender's domain" if entry.startswith("@") else "the sender"
        return Effects(mail=replace(mail, type=OutcomeType.SPAM, reason=f"{whose} is on the spam list"), hit=entry)
    return _try_candidates(command, command.mail, desk, mail)


def _listed(sender: str | None, desk: Desk) -> str | None:
    """The nearest entry of the spam list that stops the sender's mails. None stops those of the mailboxes themselves."""
    if sender is None or sender in desk.own:
        return None
    return next((entry for entry in entries_for(sender) if entry in desk.spam), None)


def _ours(command: TicketCommand, content: CommandMail, desk: Desk) -> KnownId | None:
    """What is known of the mail of ours that this one is: by its Message-ID, whose 128 random bits nobody guesses.

    Our mark alone proves nothing: whoever forged it could hide his mail from everybody. Nor is it needed: some forwarders take it off.
    Who got an answer of ours can send his own mail under its id, and hides that from us; nobody else's.
    """
    known = desk.ids.get(id_key(content.message_id), []) if content.message_id else []
    marked = command.kind is CommandKind.OWN
    return next((one for one in known if one.origin == OURS_ORIGIN and (marked or one.answer_id)), None)


def _try_candidates(command: TicketCommand, content: CommandMail, desk: Desk, mail: MailState) -> Effects:
    """The first rule whose action takes wins."""
    for candidate in command.candidates:
        ruled = replace(mail, rule_id=candidate.rule_id, rule_name=candidate.rule_name)
        effects = ACTIONS[candidate.action.type](candidate, command, content, desk, ruled)
        if effects is not None:
            return effects
    reason = "no rule's action took" if command.candidates else "no rule matched"
    return Effects(mail=replace(mail, type=OutcomeType.UNMATCHED, reason=reason))
