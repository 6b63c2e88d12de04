"""From whom an answer comes and where the answer to it goes, as the notifier writes it (`notifier.domain.compose`)."""

from __future__ import annotations

from dataclasses import dataclass

from console.backend import quoted
from console.pages.desk import Item
from console.pages.page import Page
from shared.http import ProblemError


@dataclass(frozen=True)
class Sender:
    """What stands in From, and in Reply-To where that is another address."""

    name: str
    address: str
    reply_to: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


async def mailbox_sender(page: Page, ticket: Item, answering: Item, mailbox: Item | None) -> Sender:
    """Of answers from the ticket's mailbox. Without the fetcher or the notifier its address alone is known."""
    own = answering["sender"]
    if mailbox is None:
        return Sender("", own)
    if mailbox["sender_id"] is None:
        return Sender(mailbox["name"], own)
    try:
        identity = await page.get("notifier", f"/senders/{quoted(mailbox['sender_id'])}")
    except ProblemError:
        return Sender("", own)
    address = identity["address"] or own
    return Sender(identity["display_name"] or mailbox["name"], address, _reply_to(identity, own, address, ticket["id"]))


def personal_sender(page: Page, answering: Item, account: Item | None) -> Sender:
    """Of whoever asks: by their own SMTP account, where they have one, with what is set there."""
    own = answering["personal_sender"] or ""
    if account is None:
        return Sender(page.who.name, own)
    address = account["address"] or own
    return Sender(account["display_name"] or page.who.name, address, _unless(account["reply_to"], address))


async def own_account(page: Page) -> Item | None:
    """The SMTP account of whoever asks; None where there is none, or while the notifier is away."""
    try:
        found: Item = await page.get("notifier", "/me/sender")
    except ProblemError:
        return None
    return found


def _reply_to(identity: Item, own: str, address: str, ticket_id: int) -> str:
    """The identity's own; else the mailbox, with the ticket's number where the server takes that."""
    local, at, domain = own.rpartition("@")
    back = f"{local}+{ticket_id}{at}{domain}" if identity["plus_addressing"] and at else own
    return _unless(identity["reply_to"] or back, address)


def _unless(reply_to: str, address: str) -> str:
    return "" if reply_to.casefold() == address.casefold() else reply_to
