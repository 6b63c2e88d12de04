"""An answer by mail, composed from the ticket and the customer's last mail (design section 8). The notifier writes it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.events import CommandMail, OutgoingMail, Quoted
from shared.mail.model import Address
from shared.mail.words import one_line
from tickets.domain.keys import address_key, is_mail_address
from tickets.domain.plus import is_ours

MAX_REFERENCES: Final = 20
MAX_QUOTED_BYTES: Final = 64 * 1024
MAX_RECIPIENTS: Final = 100
SEPARATORS: Final = " ,;<>"
"""Of addresses in a header: what has one of them is not taken for one address."""
NO_DOMAIN: Final = "mailconverter.invalid"
"""Right side of our Message-IDs while the mailbox's own address is not known (RFC 2606)."""


@dataclass(frozen=True)
class LastMail:
    """The customer's last mail on the ticket."""

    sender: Address
    reply_to: list[Address]
    cc: list[Address]
    message_id: str | None
    in_reply_to: list[str]
    references: list[str]
    text: str
    received_at: datetime
    id: str = ""
    """Of its message."""
    html: str | None = None


@dataclass(frozen=True)
class Answered:
    """The ticket that is answered, and from which mailbox."""

    ticket_id: int
    title: str
    sender: str
    scanner_id: str | None
    own_address: str
    """Of the mailbox it is answered from."""
    own: frozenset[str] = frozenset()
    """Keys of all mailboxes' addresses: none of them gets an answer."""
    watchers: Sequence[Address] = ()
    removed: frozenset[str] = frozenset()
    """Keys of watchers an operator took off."""

    def is_ours(self, address: str) -> bool:
        """A mailbox's address, with or without a ticket's number: what goes there would come back to us."""
        return is_ours(address, self.own | {address_key(self.own_address)})


def compose(message_id: str, mail_id: str, text: str, ticket: Answered, last: LastMail) -> OutgoingMail:
    """`message_id` is the ticket message's id, `mail_id` the Message-ID header with brackets. `to` may come out empty."""
    to, cc = recipients(ticket, last)
    return OutgoingMail(
        outgoing_id=message_id,
        ticket_id=ticket.ticket_id,
        scanner_id=ticket.scanner_id,
        message_id=mail_id,
        in_reply_to=one_line(last.message_id) if last.message_id else None,
        references=references(last),
        to=to,
        cc=cc,
        title=one_line(ticket.title),
        text=text,
        quoted=Quoted(sender=one_line(str(last.sender)), at=last.received_at, text=cut(last.text, MAX_QUOTED_BYTES)),
    )


def recipients(ticket: Answered, last: LastMail) -> tuple[list[Address], list[Address]]:
    """To the customer, where his last mail says he wants answers; to who wrote last, those in its Cc, and the watchers, a copy.

    A Cc that an operator took off the ticket gets none.
    """
    asked = _clean(last.reply_to, ticket) or _clean([last.sender], ticket)
    customer = _clean([Address(address=ticket.sender)], ticket)
    same = address_key(last.sender.address) == address_key(ticket.sender)
    to = asked if same or not customer else customer
    copied = [address for address in last.cc if address_key(address.address) not in ticket.removed]
    return to, _clean([*asked, *copied, *ticket.watchers], ticket, to)[: MAX_RECIPIENTS - len(to)]


def chosen(ticket: Answered, to: Sequence[Address], offered: Sequence[Address], wanted: Sequence[str]) -> tuple[list[Address], list[str]]:
    """Who of `wanted` gets a copy, by the name they were offered under; and those that cannot: no address, or a mailbox of ours."""
    names = {address_key(one.address): one for one in offered}
    keys = {address_key(one): one for one in wanted}
    wrong = [one for key, one in keys.items() if ticket.is_ours(one) or not is_recipient(one_line(one))]
    copied = [names.get(key, Address(address=one_line(one))) for key, one in keys.items() if one not in wrong]
    return _clean(copied, ticket, to)[: MAX_RECIPIENTS - len(to)], wrong


def is_recipient(address: str) -> bool:
    """Whether it is one address, as it is written into a header and told to a server."""
    return is_mail_address(address) and not any(sign in address for sign in SEPARATORS)


def references(last: LastMail | CommandMail) -> list[str]:
    """RFC 5322, 3.6.4: the parent's References (else its In-Reply-To) and its id. Of many the first and the last."""
    thread = last.references or (last.in_reply_to if len(last.in_reply_to) == 1 else [])
    ids = list(dict.fromkeys(one_line(text) for text in [*thread, *([last.message_id] if last.message_id else [])]))
    return ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[1 - MAX_REFERENCES :]]


def new_message_id(random_hex: str, own_address: str) -> str:
    """`<random@domain of the mailbox>`."""
    domain = one_line(own_address).rpartition("@")[2].strip(" <>")
    return f"<{random_hex}@{domain if domain.isascii() and domain else NO_DOMAIN}>"


def cut(text: str, limit: int) -> str:
    """The text's first `limit` bytes in UTF-8, no character split."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= limit else data[:limit].decode("utf-8", "ignore")


def _clean(addresses: Sequence[Address], ticket: Answered, taken: Sequence[Address] = ()) -> list[Address]:
    """Usable addresses but our own and those taken, each once, on one line each, at most MAX_RECIPIENTS."""
    without = {address_key(address.address) for address in taken}
    found: dict[str, Address] = {}
    for written in addresses:
        address = Address(name=one_line(written.name), address=one_line(written.address))
        key = address_key(address.address)
        if key and key not in without and not ticket.is_ours(address.address) and not any(sign in address.address for sign in SEPARATORS):
            found.setdefault(key, address)
    return list(found.values())[:MAX_RECIPIENTS]
