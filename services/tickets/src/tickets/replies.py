"""What an answer by mail would be, or is: from whom, to whom, in which thread, with what quoted, and why there can be none."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Answering, CopyChoice
from shared.events import OutgoingMail, OutgoingMode
from shared.http import Person, ProblemError, invalid
from shared.mail.answer_subject import answer_subject
from shared.mail.model import Address
from shared.mail.words import one_line
from tickets.adapters.desk import own_addresses
from tickets.adapters.desk_settings import undo_seconds
from tickets.adapters.drafts import writing
from tickets.adapters.message_store import last_mail, participants_of
from tickets.adapters.tables import scanners
from tickets.adapters.ticket_store import get_ticket
from tickets.adapters.watchers import removed_watchers, watchers_of
from tickets.answer_files import File, part_of, quoted_html
from tickets.changing import refuse_gone
from tickets.domain.answer import Answered, LastMail, chosen, compose, is_recipient, new_message_id, recipients
from tickets.domain.files import Policy
from tickets.domain.keys import address_key

RANDOM_BYTES: Final = 16
WRITING: Final = timedelta(minutes=5)
"""Who changed a draft since then is writing."""
NOBODY: Final = "The mail of this ticket names no address to answer to; write an internal note instead."
NO_MAIL: Final = "No mail came in on this ticket, so there is nobody to answer; write an internal note instead."
NO_ADDRESS: Final = "You have no mail address of your own here to answer from: set one on your own page, or answer from the mailbox."


@dataclass(frozen=True)
class Written:
    """What an operator wrote, to be stored under this id."""

    message_id: str
    ticket_id: int
    person: Person
    body: str
    kind: str = "comment"
    """Of the message: comment, note or reply."""
    mode: OutgoingMode = OutgoingMode.INFO
    cc: list[str] | None = None
    attachments: tuple[str, ...] = ()
    quote: bool = True


@dataclass(frozen=True)
class Situation:
    """A ticket that can be answered."""

    ticket: Answered
    last: LastMail
    to: list[Address]
    copies: list[Address]
    """Who gets a copy unless the operator says otherwise."""


async def situation(conn: AsyncConnection, ticket: Row[Any]) -> Situation:
    """Raises ProblemError 409 where nobody can be answered."""
    last = await last_mail(conn, ticket.id)
    if last is None:
        raise ProblemError(409, "Nobody to answer", NOBODY if ticket.source == "mail" else NO_MAIL)
    answered = await _answered(conn, ticket)
    to, copies = recipients(answered, last)
    if not to:
        raise ProblemError(409, "Nobody to answer", NOBODY)
    return Situation(answered, last, to, copies)


async def _answered(conn: AsyncConnection, ticket: Row[Any]) -> Answered:
    own = await conn.scalar(select(scanners.c.address).where(scanners.c.scanner_id == ticket.scanner_id)) or ""
    return Answered(
        ticket_id=ticket.id,
        title=ticket.title,
        sender=ticket.sender or "",
        scanner_id=ticket.scanner_id,
        own_address=own,
        own=await own_addresses(conn),
        watchers=(await watchers_of(conn, [ticket.id])).get(ticket.id, []),
        removed=await removed_watchers(conn, ticket.id),
    )


async def make_mail(conn: AsyncConnection, written: Written, ticket: Row[Any], files: list[File], policy: Policy) -> OutgoingMail:
    """The answer as it goes to the notifier. Raises ProblemError 409 where it cannot leave, 422 for a copy to nobody."""
    personal = written.mode is OutgoingMode.PERSONAL
    if personal and not is_recipient(written.person.address):
        raise ProblemError(409, "No address of your own", NO_ADDRESS)
    found = await situation(conn, ticket)
    home = written.person.address if personal else found.ticket.own_address
    message_id = new_message_id(secrets.token_hex(RANDOM_BYTES), home)
    mail = compose(written.message_id, message_id, written.body, found.ticket, found.last)
    room = policy.limit - sum(file.size for file in files)
    html, images = await quoted_html(conn, found.last, message_id, room, policy) if written.quote else ("", [])
    changes: dict[str, Any] = {
        "mode": written.mode,
        "author": _author(written.person),
        "operator": written.person.actor,
        "cc": _copies(found, written.cc),
        "parts": [*(part_of(file) for file in files), *images],
        "quoted": mail.quoted.model_copy(update={"html": html}) if mail.quoted and written.quote else None,
    }
    return mail.model_copy(update=changes)


def _author(person: Person) -> Address | None:
    known = Address(name=one_line(person.name), address=one_line(person.address))
    return known if known.name or known.address else None


def _copies(found: Situation, wanted: list[str] | None) -> list[Address]:
    if wanted is None:
        return found.copies
    copies, wrong = chosen(found.ticket, found.to, found.copies, wanted)
    if wrong:
        raise invalid(
            [("cc", f"{one_line(one)[:320]} cannot get a copy: it is no mail address, or one of your own mailboxes") for one in wrong]
        )
    return copies


async def answering(conn: AsyncConnection, ticket_id: int, person: Person, policy: Policy, now: datetime) -> Answering:
    """For the page that an answer is written on. Raises ProblemError 404."""
    ticket = await get_ticket(conn, ticket_id)
    own = person.address if is_recipient(person.address) else None
    common: dict[str, Any] = {
        "personal_sender": own,
        "writing": await writing(conn, ticket_id, person.actor, now - WRITING),
        "files_limit": policy.limit,
        "files_blocked": sorted(policy.endings | policy.types),
        "undo_seconds": await undo_seconds(conn),
    }
    try:
        await refuse_gone(conn, ticket)
        found = await situation(conn, ticket)
    except ProblemError as error:
        why = error.problem.detail
        return Answering(sender="", refusal=why, personal_refusal=why, **common)
    quoted = compose("", "", "", found.ticket, found.last).quoted
    return Answering(
        sender=found.ticket.own_address,
        to=[str(address) for address in found.to],
        copies=await _choices(conn, found),
        subject=answer_subject(ticket.title, ticket.id),
        quoted=quoted.text if quoted else "",
        personal_refusal=None if own else NO_ADDRESS,
        **common,
    )


async def _choices(conn: AsyncConnection, found: Situation) -> list[CopyChoice]:
    """Who gets a copy, and who else takes part and might."""
    ticked = [CopyChoice(address=one.address, name=one.name, ticked=True) for one in found.copies]
    known = {address_key(one.address) for one in [*found.to, *found.copies]}
    people = [one for one in await participants_of(conn, found.ticket.ticket_id) if one not in known and is_recipient(one)]
    others = [one for one in people if not found.ticket.is_ours(one)]
    return [*ticked, *(CopyChoice(address=one, ticked=False) for one in others)]
