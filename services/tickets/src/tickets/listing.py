"""What may go on the spam list: no mailbox of ours, nobody who works here, no domain that many strangers share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.desk import own_addresses
from tickets.adapters.operators import add_operators, domains_of_operators, operators_among
from tickets.adapters.spam_store import add_senders, listed, lock_senders
from tickets.domain.spam import canonical, domain_of, entries_for, entry_of, whose_domain

OWN_MAILBOX = "A mailbox of your own"
OWN_PEOPLE = "One of your own people"
SHARED_DOMAIN = "Many people's domain"
Refusal = tuple[str, str]
"""Title, and the reason in plain words."""


async def refusals(conn: AsyncConnection, entries: Collection[str]) -> dict[str, Refusal]:
    """Why entries may not be listed, by entry; the others may. A fixed number of queries, whatever their number."""
    own = {canonical(address) for address in await own_addresses(conn)}
    addresses = [entry for entry in entries if not entry.startswith("@")]
    people = await operators_among(conn, addresses)
    domains = await domains_of_operators(conn, [entry for entry in entries if entry.startswith("@")])
    mailboxes = {entry for address in own for entry in entries_for(address)}
    ours = {domain for address in own if (domain := domain_of(address)) and not whose_domain(domain)}
    found = {entry: _refusal(entry, mailboxes, ours, people | domains) for entry in entries}
    return {entry: refusal for entry, refusal in found.items() if refusal is not None}


def _refusal(entry: str, mailboxes: Collection[str], ours: Collection[str], people: Collection[str]) -> Refusal | None:
    is_domain = entry.startswith("@")
    if is_domain and (shared := whose_domain(entry)):
        return SHARED_DOMAIN, shared
    if entry in mailboxes:
        what = "is the domain of a mailbox of yours" if is_domain else "is the address of a mailbox of yours"
        return OWN_MAILBOX, f"{entry} {what}; its own mails would be stopped."
    if entry in people:
        what = "has the addresses of people who work" if is_domain else "is the address of somebody who works"
        return OWN_PEOPLE, f"{entry} {what} on tickets here; their mails would be stopped."
    if domain := next((one for one in entries_for(entry) if one in ours), None):
        return OWN_PEOPLE, f"{entry} belongs to {domain}, the domain of a mailbox of yours; a colleague's mails would be stopped."
    return None


async def add_entry(unit: Unit, written: str, actor: str) -> tuple[Row[Any], bool]:
    """List an address or a domain; returns the entry and whether it is new.

    Raises ProblemError 422 for what is neither, 409 for what may not be listed.
    """
    entry = entry_of(written)
    if entry is None:
        told = "must be a whole address such as offers@shop.example, or a domain such as @shop.example"
        raise ProblemError(422, "The request is not valid", f"address: {told}", errors=[{"field": "address", "message": told}])
    await add_operators(unit.conn, [actor])
    if refusal := (await refusals(unit.conn, [entry])).get(entry):
        raise ProblemError(409, *refusal)
    await lock_senders(unit.conn, [entry])
    made = await add_senders(unit.conn, {entry: shown(entry, written)}, actor, unit.clock())
    return (made[0], True) if made else ((await listed(unit.conn, [entry]))[entry], False)


def shown(entry: str, written: str) -> str:
    """An address as it was written; a domain as the entry is."""
    return entry if entry.startswith("@") else written.strip()
