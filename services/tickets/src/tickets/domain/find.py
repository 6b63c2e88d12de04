"""Which ticket an update means (design section 7)."""

from __future__ import annotations

from typing import Final

from shared.events import Candidate, CommandMail, Lookup, TicketCommand
from tickets.domain.keys import address_key, code_key, id_key, numbers_in, referred_ids, title_key
from tickets.domain.plus import plus_numbers
from tickets.domain.state import OURS_ORIGIN, REFERRED_ORIGIN, Desk, KnownId, TicketState

DMARC_FAILS: Final = "dmarc=fail"


def find(candidate: Candidate, command: TicketCommand, mail: CommandMail, desk: Desk) -> TicketState | None:
    """The ticket, or the one it was merged into; None where the key is empty or names none that is not deleted."""
    lookup = candidate.action.lookup
    if lookup is Lookup.TICKET_ID:
        return _first_alive(numbers_in(candidate.key), desk)
    if lookup is Lookup.TITLE:
        return _known(desk.titles.get((command.scanner_id, title_key(candidate.key))), desk)
    if lookup is Lookup.EXTERNAL_CODE:
        return _known(desk.codes.get((command.scanner_id, code_key(candidate.key))), desk)
    return _by_conversation(command, mail, desk)


def _known(number: int | None, desk: Desk) -> TicketState | None:
    return None if number is None else desk.ticket(number)


def _by_conversation(command: TicketCommand, mail: CommandMail, desk: Desk) -> TicketState | None:
    """An id of ours first: only who got an answer of ours can know it.

    Then ids of mails on tickets of the same scanner; then the number in a mailbox's plus address.
    """
    found = [known for key in referred_ids(mail) for known in desk.ids.get(key, [])]
    ours = [known.ticket_id for known in found if known.origin == OURS_ORIGIN]
    theirs = [known for known in found if known.origin != OURS_ORIGIN] + _asked_for(mail, desk)
    same = [known.ticket_id for known in theirs if known.scanner_id == command.scanner_id]
    return _best(ours, mail, desk) or _best(same, mail, desk) or _best(_addressed(mail, desk), mail, desk)


def _addressed(mail: CommandMail, desk: Desk) -> list[int]:
    return [number for base, number in plus_numbers(mail) if base in desk.own]


def _asked_for(mail: CommandMail, desk: Desk) -> list[KnownId]:
    """A reply may come before the mail it answers: then the ticket's mails refer to this one. An equal id alone proves nothing."""
    known = desk.ids.get(id_key(mail.message_id), []) if mail.message_id else []
    return [one for one in known if one.origin == REFERRED_ORIGIN]


def _best(numbers: list[int], mail: CommandMail, desk: Desk) -> TicketState | None:
    """The newest the sender takes part in, else the newest."""
    found = {ticket.id: ticket for number in numbers if (ticket := desk.ticket(number))}
    newest = [found[number] for number in sorted(found, key=_opened, reverse=True)]
    return next((ticket for ticket in newest if takes_part(ticket.id, mail, desk)), None) or next(iter(newest), None)


def _opened(number: int) -> tuple[bool, int]:
    """For sorting by when a ticket was opened: provisional numbers count down, and come after all that are stored."""
    return number < 0, abs(number)


def takes_part(ticket_id: int, mail: CommandMail, desk: Desk) -> bool:
    """Whether the sender wrote or was addressed in a mail of the ticket. The mailboxes' own addresses never do.

    Nor does the sender of a mail that fails DMARC: it may be anybody's.
    """
    if fails_dmarc(mail):
        return False
    sender = address_key(mail.from_.address) if mail.from_ else ""
    return bool(sender) and sender in desk.participants.get(ticket_id, set())


def fails_dmarc(mail: CommandMail) -> bool:
    """By what the mailbox's provider wrote (RFC 8601; RFC 7489, 11.2)."""
    return DMARC_FAILS in mail.authentication


def _first_alive(numbers: list[int], desk: Desk) -> TicketState | None:
    return next((ticket for number in numbers if (ticket := desk.ticket(number))), None)
