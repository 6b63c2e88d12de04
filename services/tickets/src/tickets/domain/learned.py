"""What a mail on a ticket teaches: who takes part, and which Message-IDs lead to the ticket."""

from __future__ import annotations

from dataclasses import replace

from shared.events import CommandMail
from shared.mail.model import Address
from tickets.domain.keys import address_key, id_key, is_mail_address, referred_ids
from tickets.domain.plus import is_ours
from tickets.domain.state import MAIL_ORIGIN, REFERRED_ORIGIN, Desk, KnownId


def people(mail: CommandMail, own: frozenset[str]) -> set[str]:
    """Who takes part in a mail's ticket from now on: sender, Reply-To, To and Cc, without the mailboxes' own addresses."""
    written = [*([mail.from_] if mail.from_ else []), *mail.reply_to, *mail.to, *mail.cc]
    return {address_key(address.address) for address in written if not is_ours(address.address, own)} - {""}


def watching(mail: CommandMail, own: frozenset[str]) -> dict[str, Address]:
    """Who watches a mail's ticket from now on, by key: those in Cc, without the sender and the mailboxes' own addresses."""
    sender = address_key(mail.from_.address) if mail.from_ else ""
    found = {address_key(address.address): address for address in reversed(mail.cc) if not is_ours(address.address, own)}
    return {key: address for key, address in found.items() if key != sender and is_mail_address(address.address.strip())}


def learned_ids(mail: CommandMail) -> list[tuple[str, str]]:
    """The mail's own id and those it refers to, each once, as (key, origin)."""
    own = [(id_key(mail.message_id), MAIL_ORIGIN)] if mail.message_id else []
    ids = dict([*((key, REFERRED_ORIGIN) for key in referred_ids(mail)), *own])
    return list(ids.items())


def learn(mail: CommandMail, ticket_id: int, scanner_id: str, desk: Desk) -> None:
    """Bring the desk to what the tables will hold once the mail is stored on the ticket."""
    desk.participants.setdefault(ticket_id, set()).update(people(mail, desk.own))
    for key, origin in learned_ids(mail):
        known = desk.ids.setdefault(key, [])
        at = next((position for position, one in enumerate(known) if one.ticket_id == ticket_id), None)
        if at is None:
            known.append(KnownId(ticket_id, scanner_id, origin))
        elif known[at].origin == REFERRED_ORIGIN:
            known[at] = replace(known[at], origin=origin)
