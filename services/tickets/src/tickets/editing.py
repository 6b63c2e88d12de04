"""Tickets made and changed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.api import TicketIn, TicketPatch
from shared.events import TicketEventType
from shared.http import ProblemError, check_if_match
from shared.mail.model import Address
from shared.mail.words import one_line
from shared.messaging.outbox import Unit
from tickets.adapters.record_lookup import holds_record
from tickets.adapters.reports import unflag
from tickets.adapters.ticket_store import insert_ticket, lock_ticket
from tickets.adapters.watchers import add_watchers, set_watchers, watchers_of
from tickets.changing import Act, change, opened, refuse_gone
from tickets.domain.keys import address_key, code_key, title_key
from tickets.domain.labels import assignee_key, with_tags
from tickets.domain.storable import without_nul

CLEARABLE: Final = frozenset({"category", "assignee", "external_code", "contact_id"})
"""A null takes them away; of the other fields it means nothing."""


async def make(unit: Unit, request: TicketIn, actor: str, idempotency_id: str) -> int:
    """A manual ticket; returns its number. Twice under the same id is done once. Raises ProblemError 422."""
    values, at = _columns(request.model_dump()), unit.clock()
    await _check_contact(unit, values)
    values |= {"description": without_nul(request.description), "source": "manual", "idempotency_id": idempotency_id}
    ticket_id, made = await insert_ticket(unit.conn, {**values, "created_at": at, "updated_at": at})
    if made:
        await add_watchers(unit.conn, ticket_id, _watchers(request.watchers))
        await opened(unit, ticket_id, values["title"], Act(actor, TicketEventType.CREATED))
    return ticket_id


async def edit(unit: Unit, ticket_id: int, request: TicketPatch, actor: str, if_match: str | None) -> None:
    """Change the fields that were given and differ; where none does, nothing happens.

    Raises ProblemError 404, 412, 422, and 409 where the ticket is deleted or merged.
    """
    given = _columns(request.model_dump(exclude_unset=True))
    await _check_contact(unit, given)
    ticket = await lock_ticket(unit.conn, ticket_id)
    check_if_match(if_match, ticket.version)
    await refuse_gone(unit.conn, ticket)
    before = [address.address for address in (await watchers_of(unit.conn, [ticket_id])).get(ticket_id, [])]
    after = before if request.watchers is None else await _watch(unit, ticket_id, before, request.watchers)
    values = {name: value for name, value in given.items() if value != ticket._mapping[name]}  # noqa: SLF001 -- SQLAlchemy's public name
    if "status" in values:
        values["closed_at"] = unit.clock() if values["status"] == "closed" else None
    if "attention" in values:
        await unflag(unit.conn, ticket_id)
    if values or before != after:
        await change(unit, ticket, values, Act(actor, before={"watchers": before}, after={"watchers": after}))


async def _check_contact(unit: Unit, values: Mapping[str, Any]) -> None:
    record_id = values.get("contact_id")
    if record_id is not None and not await holds_record(unit.conn, record_id):
        detail = f"contact_id: there is no contact, account or lead {record_id}; it may have been deleted or merged"
        raise ProblemError(422, "The request is not valid", detail)


async def _watch(unit: Unit, ticket_id: int, before: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Replace them where others are wanted; returns who watches now."""
    watchers = _watchers(wanted)
    if set(watchers) != {address_key(address) for address in before}:
        await set_watchers(unit.conn, ticket_id, watchers)
    return [address.address for address in (await watchers_of(unit.conn, [ticket_id])).get(ticket_id, [])]


def _watchers(given: Sequence[str]) -> dict[str, Address]:
    """By their keys, each once. Raises ProblemError 422 for what is no address."""
    found: dict[str, Address] = {}
    for address in given:
        if not address.isprintable():
            raise ProblemError(422, "The request is not valid", "watchers: an address holds a character that can't be part of one")
        found.setdefault(address_key(address), Address(address=address))
    return found


def _columns(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as the table keeps it."""
    kept = {name: value for name, value in given.items() if value is not None or name in CLEARABLE}
    values = {name: _STORED[name](value) for name, value in kept.items() if name in _STORED}
    for name in ("title", "priority"):
        if not values.get(name, name):
            raise ProblemError(422, "The request is not valid", f"{name}: must not be blank")
    if "title" in values:
        values["folded_title"] = title_key(values["title"])
    if "external_code" in values:
        values["folded_code"] = code_key(values["external_code"]) if values["external_code"] else None
    return values


def _line(text: str | None) -> str | None:
    return one_line(text or "") or None


def _code(text: str | None) -> str | None:
    """Kept as written."""
    return without_nul(text or "").strip() or None


def _tags(given: Sequence[str]) -> list[str]:
    return list(with_tags((), without_nul(list(given))))


def _assignee(given: str | None) -> str | None:
    return assignee_key(without_nul(given or ""))


_STORED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "title": _line,
    "status": without_nul,
    "priority": _line,
    "category": _line,
    "assignee": _assignee,
    "tags": _tags,
    "external_code": _code,
    "contact_id": without_nul,
    "attention": lambda _: None,
}
"""What of a request is a column of the ticket, and how it is kept."""
